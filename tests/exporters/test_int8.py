"""int8: bounds that are kept or refused, and the search for the layers that stay in fp32."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hundredfold as hf
from hundredfold.errors import CheckError
from hundredfold.exporters import Bounds, _int8, onnx_int8
from hundredfold.exporters._int8 import Quantizer, excluded_layers
from hundredfold.onnx_model import open_onnx

LAYERS = tuple("abcdefgh")


def losing(costs: dict[str, float], tried: list[tuple[str, ...]]):
    """Return a measurement in which each layer of `costs` takes some agreement in int8."""

    def measured(fp32: tuple[str, ...]) -> tuple[float, float]:
        tried.append(fp32)
        lost = sum(cost for layer, cost in costs.items() if layer not in fp32)
        return 1.0 - lost, lost / 4

    return measured


@pytest.mark.parametrize("bad", [(), ("a",), ("h",), ("c", "f")])
def test_the_layers_that_cost_most_stay_in_fp32(bad: tuple[str, ...]) -> None:
    tried: list[tuple[str, ...]] = []
    costs = dict.fromkeys(LAYERS, 0.0005) | dict.fromkeys(bad, 0.02)
    found = excluded_layers(LAYERS, losing(costs, tried), Bounds())
    assert set(found) == set(bad)
    assert len(tried) <= 1 + 7 * len(bad), "by halves, not one by one"


def test_the_search_ends_where_no_exclusion_helps() -> None:
    tried: list[tuple[str, ...]] = []
    excluded_layers(tuple(map(str, range(200))), losing({"none": 1.0}, tried), Bounds())
    assert len(tried) <= 26


def test_the_ranges_are_measured_once(made: hf.Run, monkeypatch) -> None:
    counted: list[int] = []
    original = _int8._ranges
    monkeypatch.setattr(_int8, "_ranges", lambda *a: counted.append(1) or original(*a))
    model, images = _small_model(), np.random.default_rng(0).integers(0, 256, (60, 8, 8, 3))
    images = images.astype(np.uint8)
    quantizer = Quantizer(model, images)
    assert len(quantizer.layers) == 2
    exact = quantizer.logits(quantizer.layers, images)
    found = quantizer.logits((), images)
    half = quantizer.logits(quantizer.layers[:1], images)
    assert counted == [1]
    step = np.abs(exact).max() / 127
    assert 0 < np.abs(found - exact).max() < 6 * step
    assert np.abs(half - exact).max() < 6 * step


def _small_model() -> Any:
    """Return an ONNX model of a convolution, a mean and a dense layer."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    draw = np.random.default_rng(0)
    weights = {
        "w": (draw.normal(size=(8, 3, 3, 3)) / 500).astype(np.float32),
        "d": draw.normal(size=(8, 4)).astype(np.float32),
    }
    nodes = [
        helper.make_node("Transpose", ["images"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["planes"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Conv", ["floats", "w"], ["c"], kernel_shape=[3, 3]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("MatMul", ["f", "d"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes, "small",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["n", 8, 8, 3])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 4])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    return model


def test_an_int8_file_is_measured_and_kept_within_its_bounds(made: hf.Run, tmp_path: Path) -> None:
    path = made.export("onnx-int8", file=tmp_path / "small.onnx", min_agreement=0.5, max_drop=0.5)
    check = json.loads(path.with_name("small.onnx.check.json").read_text())
    assert check["equal_classes"] >= 0.5 and check["drop"] <= 0.5
    assert check["source"] == "validation" and check["calibrated_on"] > 0
    assert check["smaller"] == pytest.approx(check["fp32_bytes"] / path.stat().st_size)
    assert check["milliseconds"]["int8"] > 0
    assert open_onnx(path).metadata["kind"] == "onnx-int8"


def test_an_int8_file_beyond_its_bounds_is_not_written(
    made: hf.Run, tmp_path: Path, monkeypatch
) -> None:
    original = onnx_int8._check

    def worse(*arguments: Any) -> dict[str, Any]:
        return original(*arguments) | {"equal_classes": 0.875, "drop": 0.0625}

    monkeypatch.setattr(onnx_int8, "_check", worse)
    with pytest.raises(CheckError, match="so no file was written") as caught:
        made.export("onnx-int8", file=tmp_path / "none" / "small.onnx", min_agreement=0.9)
    assert caught.value.exit_code == 5
    assert "--min-agreement 0.875 --max-drop 0.063" in str(caught.value)
    assert not (tmp_path / "none").exists()
