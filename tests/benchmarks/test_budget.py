import pytest


def test_over_is_the_time_from_outside_over_the_budget():
    import budget

    runs = [{"wall_seconds": s, "validation": v, "test": None} for s, v in ((62, 0.5), (57.6, 0.6))]
    found = budget.row("1m", runs)
    assert found["over"] == pytest.approx({"value": -0.1 / 30, "low": -0.04, "high": 1 / 30})
    assert found["kept"] and found["validation"]["value"] == pytest.approx(0.55)
    assert not budget.row("50s", runs)["kept"]


def test_the_command_is_timed_from_outside(benchmark):
    table, facts = benchmark(
        "budget", "--data", "digits", "--budget", "10s", "--seeds", "1", "--threads", "1"
    )
    [row] = facts["rows"]
    [run] = row["runs"]
    assert row["over"]["value"] == pytest.approx(run["wall_seconds"] / 10 - 1, abs=1e-3)
    assert row["validation"]["value"] == pytest.approx(run["validation"], rel=1e-3)
    assert row["test"]["value"] is None
    assert table[1].startswith("10s")
