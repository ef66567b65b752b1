"""What ends a command is told in any environment; telling it never fails itself."""

import errno
from pathlib import Path

import pytest

from hundredfold.cli import _failure


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
