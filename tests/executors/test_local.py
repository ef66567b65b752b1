"""Jobs as processes of this machine: outcomes, order, how many at once."""

import signal
import sys
from collections.abc import Hashable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from hundredfold.executors import Job, JobProgress, Local, Outcome, local


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Let the children run a script of the test's instead of the command."""
    path = tmp_path / "script"
    path.write_text(f'#!/bin/sh\nexec {sys.executable} -c "$4"\n', encoding="utf-8")
    path.chmod(0o755)
    monkeypatch.setattr(local.machine, "python", lambda: [str(path)])
    return path


def jobs_of(commands: Mapping[Hashable, Sequence[str]]) -> dict[Hashable, Job]:
    return {k: Job(Path("none"), begin=tuple(arguments)) for k, arguments in commands.items()}


def carried_out(commands: Mapping[Hashable, Sequence[str]]) -> dict[Hashable, Outcome]:
    return dict(Local(2).outcomes(jobs_of(commands), lambda _: ()))


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

    def watch(running: Mapping[Hashable, JobProgress]) -> tuple[Hashable, ...]:
        seen.append(len(running))
        return ()

    found = dict(Local(2).outcomes(jobs_of(commands), watch))
    assert set(found) == set(range(5))
    assert max(seen) == 2


@pytest.mark.usefixtures("script")
def test_an_error_in_the_caller_ends_the_children() -> None:
    jobs = jobs_of({"a": ["import time; time.sleep(60)"]})
    before = signal.getsignal(signal.SIGINT)

    def watch(running: Mapping[Hashable, JobProgress]) -> tuple[Hashable, ...]:
        raise RuntimeError("of the caller")

    with pytest.raises(RuntimeError, match="of the caller"):
        list(Local(1).outcomes(jobs, watch))
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.usefixtures("script")
def test_nothing_to_do_is_done_at_once() -> None:
    assert carried_out({}) == {}


@pytest.mark.usefixtures("script")
def test_a_job_that_the_caller_stops_ends_with_143_and_the_others_go_on() -> None:
    jobs = jobs_of({"long": ["import time; time.sleep(60)"], "short": ["print('{}')"]})

    def watch(running: Mapping[Hashable, JobProgress]) -> tuple[Hashable, ...]:
        return tuple(key for key in running if key == "long")

    found = dict(Local(2).outcomes(jobs, watch))
    assert (found["long"].code, found["short"].code) == (143, 0)


def test_a_command_names_its_folder_and_copies_of_what_it_reads() -> None:
    data, own = Path("/data"), Path("/scratch/a/a.toml")
    job = Job(
        Path("/runs/a"),
        (own, "--data-dir", data),
        files=Path("/scratch/a"),
        environment={"W": data},
    )
    assert job.inputs == (data,)
    assert job.arguments() == [
        "train", str(own), "--data-dir", "/data", "--out", "/runs", "--name", "a"
    ]  # fmt: skip
    copies = {own: Path("/n/a.toml"), data: Path("/n/data")}
    assert job.arguments(Path("/n/run"), copies.__getitem__) == [
        "train", "/n/a.toml", "--data-dir", "/n/data", "--out", "/n", "--name", "run"
    ]  # fmt: skip
    assert job.variables(copies.__getitem__) == {"W": "/n/data"}


@pytest.mark.usefixtures("script")
def test_further_jobs_are_asked_for_while_there_is_room() -> None:
    commands = {k: [f"print('{{\"x\": {k}}}')"] for k in range(5)}
    jobs, known = jobs_of(commands), list[Hashable]()
    left = list(jobs)[1:]

    def more() -> dict[Hashable, Job]:
        if not left:
            return {}
        known.append(left[0])
        return {left[0]: jobs[left.pop(0)]}

    found = []
    for key, outcome in Local(2).outcomes({0: jobs[0]}, lambda _: (), more):
        found.append(key)
        assert outcome.result == {"x": key}
        assert len(known) <= len(found) + 1  # the next is asked for once one has ended
    assert sorted(found, key=str) == list(range(5))
