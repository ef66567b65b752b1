"""Commands as processes of their own: outcomes, order, how many at once."""

import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from hundredfold.studies import processes
from hundredfold.studies.processes import Children, Outcome


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Let the children run a script of the test's instead of the command."""
    path = tmp_path / "script"
    path.write_text(f'#!/bin/sh\nshift 2\nexec {sys.executable} -c "$@"\n', encoding="utf-8")
    path.chmod(0o755)
    monkeypatch.setattr(processes.machine, "python", lambda: [str(path)])
    return path


def carried_out(commands: Mapping[str, Sequence[str]], jobs: int = 2) -> dict[str, Outcome]:
    return dict(Children(commands, jobs).outcomes(lambda _: None))


@pytest.mark.usefixtures("script")
def test_a_command_s_json_is_its_result() -> None:
    found = carried_out({"a": ["import sys; sys.stderr.write('hm'); print('{\"x\": 1}')"]})
    assert found == {"a": Outcome(0, {"x": 1}, "")}


@pytest.mark.usefixtures("script")
def test_the_reason_of_a_failure_is_its_message_or_the_last_line_it_said() -> None:
    told = 'print(\'{"error": {"message": "no images"}, "exit_code": 3}\'); raise SystemExit(3)'
    found = carried_out(
        {
            "told": [told],
            "said": ["import sys; sys.stderr.write('a\\nb\\n'); raise SystemExit(4)"],
            "mute": ["raise SystemExit(7)"],
            "shot": ["import os; os.kill(os.getpid(), 9)"],
        }
    )
    assert [(k, found[k].code, found[k].reason) for k in ("told", "said", "mute", "shot")] == [
        ("told", 3, "no images"),
        ("said", 4, "b"),
        ("mute", 7, "exit code 7"),
        ("shot", 128 + signal.SIGKILL, "ended by SIGKILL"),
    ]


@pytest.mark.usefixtures("script")
def test_no_more_run_than_were_asked_for() -> None:
    seen: list[int] = []
    commands = {k: ["import time; time.sleep(0.2)"] for k in range(5)}
    found = dict(Children(commands, 2).outcomes(lambda running: seen.append(len(running))))
    assert set(found) == set(range(5))
    assert max(seen) == 2


@pytest.mark.usefixtures("script")
def test_an_error_in_the_caller_ends_the_children() -> None:
    children = Children({"a": ["import time; time.sleep(60)"]}, 1)
    before = signal.getsignal(signal.SIGINT)

    def watch(running: tuple[str, ...]) -> None:
        raise RuntimeError("of the caller")

    with pytest.raises(RuntimeError, match="of the caller"):
        list(children.outcomes(watch))
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.usefixtures("script")
def test_nothing_to_do_is_done_at_once() -> None:
    assert carried_out({}) == {}
