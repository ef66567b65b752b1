"""`hundredfold tune` without its extra, and with a wrong request."""

import sys
from pathlib import Path

import pytest

from hundredfold.cli import main


def test_without_optuna_it_says_what_to_install(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert main(["tune", "digits", "--trials", "3"]) == 4
    said = capsys.readouterr().err
    assert "tune needs Optuna, which is not installed" in said
    assert "pip install 'hundredfold[tune]'" in said
    assert not list(elsewhere.iterdir())


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize(
    "arguments", [["digits"], ["digit", "--trials", "3"], ["digits", "--trials", "many"]]
)
def test_a_wrong_command_is_one_sentence(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tune", *arguments]) == 2
    said = capsys.readouterr()
    assert said.err.startswith("error: ") and "Traceback" not in said.err
