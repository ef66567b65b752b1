"""What shows progress: chosen by where it runs, a live line on real terminals alone."""

import io
import os
import pty
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from hundredfold import displays
from hundredfold.displays import Callback, Notebook, Terminal
from hundredfold.displays import notebook as notebooks
from hundredfold.errors import UsageError

STEP = {"event": "step", "text": "epoch 1/2  step 3/9"}
LINES = [{"event": "message", "text": "[bold]plan[/]"}, {"event": "epoch", "text": "epoch 1/2"}]


def test_nothing_is_shown_where_output_goes_to_a_file() -> None:
    assert displays.choose("auto") is None
    assert displays.choose("none") is None


def test_a_function_is_called_and_a_display_is_taken_as_it_is() -> None:
    heard: list[dict[str, Any]] = []
    callback = displays.choose(heard.append)
    assert isinstance(callback, Callback)
    callback.show(STEP)
    assert heard == [STEP]
    terminal = Terminal(io.StringIO())
    assert displays.choose(terminal) is terminal
    for wrong in ("loud", 3, None):
        with pytest.raises(UsageError, match="not a way to show progress"):
            displays.choose(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("forced", ["FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"])
def test_a_log_gets_lines_and_no_redraws_whatever_the_environment_says(
    forced: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv(forced, "1")
    stream = io.StringIO()
    terminal = Terminal(stream)
    assert not terminal.live
    for event in (*LINES, STEP, {"event": "end"}):
        terminal.show(event)
    assert stream.getvalue() == "[bold]plan[/]\nepoch 1/2\n"


@pytest.mark.parametrize("error", [BrokenPipeError, OSError, ValueError])
def test_a_stream_that_no_longer_takes_lines_ends_nothing(error: type[Exception]) -> None:
    class Broken(io.StringIO):
        tries = 0

        def write(self, text: str) -> int:
            self.tries += 1
            raise error(f"the reader has left before {text!r}")

    stream = Broken()
    terminal = Terminal(stream)
    for event in (*LINES, STEP, {"event": "end"}):
        terminal.show(event)
    assert stream.tries == 1


@pytest.mark.parametrize(("kind", "live"), [("xterm", True), ("dumb", False)])
def test_a_terminal_that_can_redraw_gets_a_live_line(
    kind: str, live: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", kind)
    reader, writer = pty.openpty()
    with os.fdopen(writer, "w") as stream:
        terminal = Terminal(stream)
        for event in (*LINES, STEP, {"event": "end"}):
            terminal.show(event)
        stream.flush()
        os.set_blocking(reader, False)
        said = ""
        with suppress(BlockingIOError):
            while part := os.read(reader, 4096).decode():
                said += part
    os.close(reader)
    assert terminal.live is live
    assert ("step 3/9" in said) is live
    assert "plan" in said


def test_the_command_s_log_has_no_redraws(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hundredfold", "train", "--data", "digits", "--epochs", "3",
         "--limit", "200", "--threads", "1", "--precision", "fp32", "--out", str(tmp_path)],
        capture_output=True, env=os.environ | {"FORCE_COLOR": "1"}, timeout=120, check=True,
    )  # fmt: skip
    assert b"\x1b" not in done.stdout + done.stderr and b"\r" not in done.stdout + done.stderr
    assert done.stdout.count(b"epoch ") >= 3


class Handle:
    """What IPython gives for an output, and what was shown in it."""

    def __init__(self) -> None:
        self.pages: list[str] = []

    def update(self, page: Any) -> None:
        self.pages.append(page.data)


def test_a_notebook_s_output_is_replaced_at_most_twice_a_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    handle, clock = Handle(), [100.0]

    def display(page: Any, *, display_id: bool) -> Handle:
        assert display_id
        handle.update(page)
        return handle

    monkeypatch.setattr("IPython.display.display", display)
    monkeypatch.setattr(notebooks.time, "monotonic", lambda: clock[0])
    shown = Notebook()
    for number in range(1000):  # ten seconds
        clock[0] = 100 + number / 100
        row = {"epoch": number, "train.loss": 1.0, "train.top_1": 0.5, "text": "", "best": False}
        shown.show({"event": "epoch", **row} if number % 2 else STEP)
    assert len(handle.pages) <= 21
    shown.show({"event": "message", "text": "the end is near"})
    shown.show({"event": "end"})
    assert "the end is near" in handle.pages[-1] and ">999<" in handle.pages[-1]
    assert len(handle.pages[-1]) < 200_000
