"""SIGINT and SIGTERM: the exit code says so, the run can be resumed, nobody is left behind."""

import os
import random
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from hundredfold import cli
from hundredfold.engines.pytorch import inference
from hundredfold.run import Run
from hundredfold.training import outcome

SIGNALS = (signal.SIGINT, signal.SIGTERM)

Task = dict[str, Any]
CarryOut = Callable[[list[Task]], list[list[int]]]


def test_a_signal_at_any_time_is_exit_130_or_143_and_the_run_goes_on_to_the_same_end(
    tmp_path: Path,
    carry_out: CarryOut,
    task: Callable[..., Task],
    rich: list[str],
    differences: Callable[[Path, Path], list[str]],
    tally: Callable[[str, int, int, str], None],
    tenth: int,
) -> None:
    """Signals are counted from the start of the process: loading, training, scoring."""
    chance = random.Random(tenth)
    whole = task("whole", rich)
    assert carry_out([whole]) == [[0]]
    seconds = Run(Path(whole["run"])).info["seconds"] + 0.1
    stopped = [
        task(f"{number.name}", rich, signal=number, after=chance.uniform(0.05, 0.8 * seconds),
             from_start=True, took=str(tmp_path / "took"), strays=str(tmp_path / "strays"))
        for number in SIGNALS
    ]  # fmt: skip
    codes = carry_out(stopped)
    assert codes == [[130], [143]], [Path(each["said"]).read_text()[-300:] for each in stopped]
    assert not (tmp_path / "strays").exists()
    longest = max(map(float, (tmp_path / "took").read_text().split()))
    assert longest < 10
    for each in stopped:
        made = (Path(each["run"]) / "recipe.toml").exists()
        assert not made or Run(Path(each["run"])).info["status"] == "stopped"
        again = each["resume"] if made else each["arguments"]
        assert carry_out([{"arguments": again}]) == [[0]]
    found = [differences(Path(whole["run"]), Path(each["run"])) for each in stopped]
    same = sum(not differing for differing in found)
    tally("SIGINT and SIGTERM at random times", 2, same, f"at most {longest:.1f} s to the end")


def test_a_signal_in_the_middle_of_a_long_validation_is_handled_at_once(
    tmp_path: Path,
    rich: list[str],
    differences: Callable[[Path, Path], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The steps of the epoch are saved, and a resumed run begins with its validation."""

    def endless(*_given: object, **_named: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)

    options = [*rich, "--out", str(tmp_path)]
    assert cli.main(["train", *options, "--name", "whole"]) == 0
    began = time.monotonic()
    with monkeypatch.context() as patch:
        patch.setattr(inference, "logits", endless)
        assert cli.main(["train", *options, "--name", "stopped"]) == 143
    assert time.monotonic() - began < 30
    stopped = Run(tmp_path / "stopped")
    state = max((stopped.folder / "state").glob("[0-9]*.json"))
    assert int(state.stem) == stopped.info["steps_per_epoch"]
    assert cli.main(["train", "--resume", str(stopped.folder)]) == 0
    assert differences(tmp_path / "whole", stopped.folder) == []


def _strike(number: int, *_given: object) -> None:
    os.kill(os.getpid(), number)
    time.sleep(10)  # another thread may be the one that hears it first


def test_a_signal_while_the_kept_weights_are_scored_leaves_a_run_to_resume(
    tmp_path: Path,
    plain: list[str],
    differences: Callable[[Path, Path], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options = [*plain, "--epochs", "1", "--out", str(tmp_path)]
    assert cli.main(["train", *options, "--name", "whole"]) == 0
    for number in (signal.SIGINT, signal.SIGTERM):
        with monkeypatch.context() as patch:
            patch.setattr(outcome, "_score", partial(_strike, number))
            name = f"stopped-{number.name}"
            assert cli.main(["train", *options, "--name", name]) == 128 + number
        assert Run(tmp_path / name).info["status"] == "stopped"
        assert cli.main(["train", "--resume", str(tmp_path / name)]) == 0
        assert differences(tmp_path / "whole", tmp_path / name) == []
