import json

import pytest

READS = "lambda: float(__import__('os').environ['A_BENCHMARKS_OWN'])"


def test_a_ratio_is_taken_block_by_block():
    import _common

    found = _common.ratio([2.0, 30.0, 8.0], [1.0, 10.0, 1.0])
    assert found == {"value": 3.0, "low": 2.0, "high": 8.0}


def test_blocks_that_have_no_partner_are_an_error():
    import _common

    with pytest.raises(ValueError, match="zip"):
        _common.ratio([1.0, 2.0], [1.0])


def test_blocks_are_interleaved_and_every_other_round_is_in_reverse(monkeypatch):
    import _common

    turns = []

    class Noting:
        def __init__(self, name, _):
            self.name = name

        def rate(self, seconds):
            turns.append(self.name)
            return seconds

        def close(self):
            turns.append(f"{self.name} ends")

    monkeypatch.setattr(_common, "Worker", Noting)
    sides = {name: _common.Side(_common.gemm) for name in "ab"}
    assert _common.interleaved_processes(sides, 3, 0.5) == {"a": [0.5] * 3, "b": [0.5] * 3}
    assert turns == ["a", "b", "b", "a", "a", "b", "a ends", "b ends"]


def test_a_side_has_a_process_with_its_own_environment():
    import _common

    side = _common.Side(eval, (READS,), environment={"A_BENCHMARKS_OWN": "3"})
    with _common.workers({"reader": side}) as started:
        assert started["reader"].rate(0.0) > 0


def test_a_side_that_fails_is_named(capfd):
    import _common

    with (
        pytest.raises(RuntimeError, match="'reader' ended"),
        _common.workers({"reader": _common.Side(eval, (READS,))}),
    ):
        pass
    assert "KeyError" in capfd.readouterr().err


def test_the_share_of_the_peak_counts_a_step_as_three_forward_passes():
    import _common

    assert _common.share_of_peak(10, [1.0, 2.0, 3.0], [100.0, 120.0]) == pytest.approx(0.5)


def test_a_report_is_a_table_and_one_line_of_json(capsys):
    import _common

    _common.report("some", [["name", "value"], ["a", "1"]], {"rows": [{"x": 1.23456789}]})
    head, row, line = capsys.readouterr().out.splitlines()
    assert (head.split(), row.split()) == (["name", "value"], ["a", "1"])
    assert json.loads(line)["rows"] == [{"x": 1.2346}]


def test_a_record_is_one_file_that_says_what_was_run_where_and_when(tmp_path, monkeypatch, capsys):
    import _common

    path = tmp_path / "results" / "step-here.json"
    asked = ["somewhere/step.py", "--record", str(path), "--model", "wrn(depth=16)"]
    monkeypatch.setattr("sys.argv", asked)
    _common.report("step", [["a"], ["b"]], {"n": 3, "rows": [{"x": 1.23456789}]}, path)
    record = json.loads(path.read_text())
    assert record["name"] == "step-here"
    assert record["command"] == ["python benchmarks/step.py --model 'wrn(depth=16)'"]
    assert record["machine"] and len(record["date"]) == 10
    printed = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert all(record[key] == value for key, value in printed.items())
    assert record["rows"] == [{"x": 1.2346}]


@pytest.mark.parametrize(
    "name",
    ["ablation", "budget", "contention", "extract", "input", "near", "scaling", "start", "step",
     "time_to_75", "transfer"],
)  # fmt: skip
def test_every_benchmark_can_write_its_record(name, capsys, monkeypatch):
    module = __import__(name)
    monkeypatch.setattr("sys.argv", [name, "--help"])
    with pytest.raises(SystemExit):
        module.main()
    assert "--record" in capsys.readouterr().out
