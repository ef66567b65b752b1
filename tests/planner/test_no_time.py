"""A budget that planning uses up is one sentence with a budget that would do."""

import pytest

from hundredfold.errors import UsageError
from hundredfold.planner import duration, plan


@pytest.mark.parametrize("left", [-5.4, 0.0, 0.05])
def test_a_budget_without_time_to_train_names_one_that_would_do(left: float) -> None:
    with pytest.raises(UsageError, match="leaves no time to train") as caught:
        plan._need_steps(left, 0.1, 3.0, 15.0)
    assert caught.value.remedy is not None
    enough = duration.parse_duration(caught.value.remedy.removeprefix("--budget "))
    assert enough >= 15.0 - left + 3.0


def test_a_budget_with_a_step_is_enough() -> None:
    plan._need_steps(0.1, 0.1, 3.0, 15.0)
