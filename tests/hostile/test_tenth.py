"""A tenth of each hostile harness keeps every promise; `make hostile` carries out all of it."""

from collections.abc import Callable
from typing import Any

import pytest

Told = list[dict[str, Any]]
AT_LEAST = {"runs": 150, "weights": 50, "options": 60, "images": 25, "folders": 30, "tables": 25,
            "machines": 15}  # fmt: skip


@pytest.mark.parametrize("harness", AT_LEAST)
def test_nothing_hostile_does_harm(tenth: Callable[[str], Told], harness: str) -> None:
    from hostile.__main__ import findings

    told = tenth(harness)
    assert len(told) >= AT_LEAST[harness]
    broken = findings(harness, told)
    assert not broken, "\n".join(broken)
    assert 0 in {one["code"] for one in told}, "some commands succeed"
    if harness != "images":  # a file that cannot be read is left out, and the rest is used
        assert {one["code"] for one in told} - {0}, "and some are refused"
