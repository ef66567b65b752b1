"""What ends a command is told in any environment; telling it never fails itself."""

import errno
from pathlib import Path

import pytest

from hundredfold.cli import _failure, main


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the user have neither a home nor a name."""

    def nowhere(*_: object, **__: object) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(_failure, "user_log_path", nowhere)


@pytest.mark.usefixtures("homeless")
def test_an_internal_error_without_a_home_is_one_sentence_without_a_file() -> None:
    told = _failure.as_error(ZeroDivisionError("no"), ["train"])
    assert told.message == "internal error: ZeroDivisionError: no"
    assert told.see is None and told.exit_code == 1


def test_a_trace_with_half_a_character_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    try:
        raise ValueError("a\udcff.png")
    except ValueError as error:
        told = _failure.as_error(error, ["train"])
    assert told.see is not None
    assert "a\\udcff.png" in Path(told.see).read_text(encoding="utf-8")


def test_logs_that_cannot_be_written_are_no_second_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "state").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert _failure.as_error(ValueError("no"), ["train"]).see is None


def test_a_folder_that_cannot_be_written_names_the_way_out() -> None:
    told = _failure.as_error(PermissionError(errno.EACCES, "Permission denied", "a"), ["train"])
    assert told.exit_code == 2 and "HUNDREDFOLD_CACHE" in str(told.remedy)


@pytest.mark.parametrize(
    "given",
    [
        ["--engine", "d" * 20_000],
        ["--batch-size", "9" * 20_000],
        [f"--{'d' * 20_000}", "3"],
        ["--weights", "d" * 20_000],
        ["--set", f"model.{'d' * 20_000}=1"],
        ["--set", f"epochs={'-' * 9_000}1"],
        ["--metric", "d" * 20_000],
    ],
    ids=lambda given: given[0][:20],
)
def test_what_was_given_is_repeated_in_short(
    elsewhere: Path, capsys: pytest.CaptureFixture[str], given: list[str]
) -> None:
    line = ["train", "--data", "digits", "--limit", "64", "--epochs", "1", "--threads", "1", *given]
    assert main(line) in (2, 4)
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert len(error) < 1_500


def test_a_name_that_is_too_long_for_the_disk_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(OSError) as caught:
        (tmp_path / ("d" * 300)).mkdir()
    told = _failure.as_error(caught.value, ["train"])
    assert told.exit_code == 2
    assert told.remedy == "a shorter name"
