"""A leading ~ is a home folder wherever a user writes a path, and one sentence without a home."""

import os
import pwd
from pathlib import Path

import pytest

from hundredfold import cli, paths
from hundredfold.data import Source
from hundredfold.errors import UsageError
from hundredfold.weights import locate


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_: object) -> None:
        raise KeyError

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)


def test_a_tilde_is_the_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert paths.expanded("~/a") == tmp_path / "a"
    assert paths.expanded_text("~") == str(tmp_path)
    for name in ("a~", "./~/a", "~nobody-is-called-so/a", ""):
        assert paths.expanded_text(name) == name
    monkeypatch.setenv("HUNDREDFOLD_DATA", "~/d")
    assert Source().folder == tmp_path / "d"


@pytest.mark.usefixtures("homeless")
def test_without_a_home_a_tilde_is_one_sentence(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HUNDREDFOLD_CACHE", str(elsewhere / "cache"))
    for verb in (
        ["train", "--data", "~/x"],
        ["train", "--data", "digits", "--out", "~/x"],
        ["train", "--data", "digits", "--data-dir", "~/x"],
        ["train", "--resume", "~/x"],
        ["train", "~/x.toml"],
        ["train", "--data", "digits", "--weights", "~/x", "--model", "resnet"],
        ["data", "check", "~/x"],
        ["data", "check", "digits", "--preview", "~/x.png"],
        ["data", "check", "digits", "--html", "~/x.html"],
        ["runs", "--out", "~/x"],
        ["report", "~/x"],
        ["evaluate", "~/x", "--trust", "~/y"],
        ["study", "quickstart", "--out", "~/x", "--dry-run"],
    ):
        assert cli.main(verb) == 2, verb
        assert "there is no home folder" in capsys.readouterr().err, verb
    for name in ("HUNDREDFOLD_DATA", "HUNDREDFOLD_CACHE"):
        monkeypatch.setenv(name, "~/x")
        assert cli.main(["data", "check", "digits"]) == 2
        assert "there is no home folder" in capsys.readouterr().err
        monkeypatch.delenv(name)
    monkeypatch.setenv("HUNDREDFOLD_WEIGHTS", "~/x")
    with pytest.raises(UsageError, match="no home"):
        locate._environment(None)  # type: ignore[arg-type]
    assert os.environ.get("HOME") is None
