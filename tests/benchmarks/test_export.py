import pytest

for _name in ("onnx", "onnxruntime", "onnxscript"):
    pytest.importorskip(_name, reason=f"the extra export is not installed: no {_name}")


def test_a_file_is_timed_beside_its_network(benchmark):
    table, facts = benchmark(
        "export", "--model", "simple_cnn", "--blocks", "2", "--seconds", "0.01", "--threads", "1"
    )
    (row,) = facts["rows"]
    assert row["model"] == "simple_cnn" and facts["batch"] == 1
    assert all(0 < value < 1e4 for value in row["milliseconds"].values())
    assert [len(found) for found in row["blocks"].values()] == [2, 2]
    assert len(table) == 2
