"""int8: bounds that are kept or refused, and the search for the layers that stay in fp32."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hundredfold as hf
from hundredfold.errors import CheckError
from hundredfold.exporters import _int8, onnx_int8
from hundredfold.exporters._int8 import Layers, Quantizer, int8_layers
from hundredfold.onnx_model import open_onnx

LAYERS = tuple("abcdefgh")


def search(costs: dict[str, float], allowed: float, layers: Layers = LAYERS):
    """Search where each layer has an error of its own; return the layers in int8 and all tries."""
    tried: list[Layers | None] = []

    def error(int8: Layers) -> float:
        tried.append(int8)
        return sum(costs.get(layer, 0.001) for layer in int8)

    def holds(int8: Layers | None) -> bool:
        return int8 is not None and error(int8) <= allowed

    return int8_layers(layers, error, holds), tried


@pytest.mark.parametrize("bad", [(), ("a",), ("h",), ("c", "f")])
def test_the_layers_that_cost_most_stay_in_fp32(bad: Layers) -> None:
    found, tried = search(dict.fromkeys(bad, 0.5), 0.01)
    assert found is not None
    assert set(LAYERS) - set(found) == set(bad)
    assert len(tried) <= 2 + 8 * len(bad), "by halves, not one by one"


def test_all_is_in_int8_where_that_holds() -> None:
    assert int8_layers(LAYERS, lambda _: 1.0, lambda int8: int8 is None) is None


def test_the_search_ends_where_no_exclusion_helps() -> None:
    _, tried = search({}, -1.0, tuple(map(str, range(200))))
    assert len(tried) <= 80
    assert search({}, -1.0)[0] == (), "with few layers, all of them are left in fp32"


def test_the_ranges_are_measured_once(made: hf.Run, monkeypatch) -> None:
    counted: list[int] = []
    original = _int8._ranges
    monkeypatch.setattr(_int8, "_ranges", lambda *a: counted.append(1) or original(*a))
    model, images = _small_model(), np.random.default_rng(0).integers(0, 256, (60, 8, 8, 3))
    images = images.astype(np.uint8)
    quantizer = Quantizer(model, images)
    assert len(quantizer.layers) == 2
    exact = quantizer.logits((), images)
    found = quantizer.logits(None, images)
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
