from statistics import median

import pytest

from hundredfold import machine


def test_the_cost_of_a_competing_process_is_quiet_over_busy(benchmark):
    table, facts = benchmark(
        "contention", "--threads", "1", "--blocks", "2", "--seconds", "0.05", "--gemm", "128",
        "--batch", "4", "--wait", "default", "--wait", "passive",
    )  # fmt: skip
    assert len(table) == 3
    assert [row["wait"] for row in facts["rows"]] == ["default", "passive"]
    for row in facts["rows"]:
        pairs = zip(row["blocks"]["quiet"], row["blocks"]["busy"], strict=True)
        costs = [quiet / busy for quiet, busy in pairs]
        assert row["cost"]["value"] == pytest.approx(median(costs), rel=1e-3)
        assert row["reached"] == (row["cost"]["value"] <= facts["aim"])
        assert row["share_of_gemm_peak"] > 0


def test_speednet_is_measured_by_its_recipe(benchmark):
    _, facts = benchmark(
        "contention", "--threads", "1", "--blocks", "1", "--seconds", "0.05", "--gemm", "128",
        "--model", "speednet", "--set", "model.width=0.125", "--set", "batch_size=8",
        "--set", "micro_batch=4", "--sequential",
    )  # fmt: skip
    assert (facts["batch"], facts["micro_batch"], facts["sequential"]) == (8, 4, True)


def test_a_way_of_waiting_is_a_variable_of_openmp():
    import contention

    assert contention.environment("default") == {}
    assert contention.environment("ours") == machine.WAITING
    assert contention.environment("passive") == {"OMP_WAIT_POLICY": "passive"}
    assert contention.environment("100") == {"GOMP_SPINCOUNT": "100"}
    with pytest.raises(ValueError, match="patient"):
        contention.environment("patient")


def test_the_competing_process_is_gone_afterwards():
    import contention
    import psutil

    def children():
        return {child.pid for child in psutil.Process().children()}

    before = children()
    with contention.competing_process(0):
        assert len(children() - before) == 1
    assert not children() - before
