"""A budget that planning uses up is one sentence with a budget that would do."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from hundredfold.errors import UsageError
from hundredfold.planner import bench, deadline, duration
from hundredfold.size import Size
from hundredfold.training.time_budget import StepTimes


@pytest.mark.parametrize("left", [-5.4, 0.0, 0.05])
def test_a_budget_without_time_to_train_names_one_that_would_do(left: float) -> None:
    with pytest.raises(UsageError, match="leaves no time to train") as caught:
        deadline.need_steps(left, 0.1, 3.0, 15.0)
    assert caught.value.remedy is not None
    enough = duration.parse_duration(caught.value.remedy.removeprefix("--budget "))
    assert enough >= 15.0 - left + 3.0


def test_a_budget_with_a_step_is_enough() -> None:
    deadline.need_steps(0.1, 0.1, 3.0, 15.0)


@pytest.mark.parametrize("spent", [11.9, 15.6, 18.1])
def test_a_planned_training_without_time_is_passed_over_and_its_reason_kept(
    monkeypatch: pytest.MonkeyPatch, spent: float
) -> None:
    """Planned trainings end like one of a named recipe: no run of a single step."""
    said: list[str] = []
    job = SimpleNamespace(feed=SimpleNamespace(steps=3))
    times = StepTimes({Size.of(32): 0.1}, lambda _: Size.of(32), 0.2, 3)
    monkeypatch.setattr(bench.TorchBench, "_prepared", lambda *_: (job, None))
    monkeypatch.setattr(bench.on_features, "compute_features", lambda job, *_: job)
    monkeypatch.setattr(bench.timing, "step_times", lambda *_: times)
    made = object.__new__(bench.TorchBench)
    made.deadline = deadline.Deadline(0.0, 15.0, lambda: spent)
    made.options = SimpleNamespace(source=SimpleNamespace(cache=Path()))
    made.progress = SimpleNamespace(say=said.append)
    made.kept = SimpleNamespace(discard_failed=lambda: None)
    made.failure = None
    assert made.train(SimpleNamespace(kind="scratch"), 15.0 - spent) is None
    assert made.failure is not None and "leaves no time to train" in made.failure.message
    enough = duration.parse_duration(str(made.failure.remedy).removeprefix("--budget "))
    assert enough > max(spent, 15.0)
    assert "leaves no time to train" in said[0]
