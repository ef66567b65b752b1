"""Runs of the TensorFlow engine are exported, whether PyTorch has their network or not."""

import sys
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest

import hundredfold as hf
from hundredfold.errors import MissingError, UsageError
from hundredfold.exporters._core import core_of
from hundredfold.onnx_model import open_onnx
from hundredfold.run import Run
from hundredfold.size import Size


def test_a_network_that_pytorch_has_too_is_exported(small_run: Callable[..., Run]) -> None:
    pytest.importorskip("tensorflow", reason="the extra tensorflow is not installed")
    run = hf.load(small_run(engine="tensorflow", model="simple_cnn").folder)
    model = open_onnx(run.export("onnx"))
    images = np.random.default_rng(0).integers(0, 256, (3, 18, 18, 3), np.uint8)
    expected = [run.predict([image])[0].values for image in images]
    np.testing.assert_allclose(model.run(images).probabilities, expected, rtol=0, atol=1e-5)


def test_a_network_that_only_tensorflow_has_is_exported(small_run: Callable[..., Run]) -> None:
    for name in ("tensorflow", "tf2onnx"):
        pytest.importorskip(name, reason=f"the extra tensorflow is not installed: no {name}")
    model, data = 'keras_application(name="vgg16")', "shapes(size=32, classes=2, images=8)"
    run = hf.load(small_run(engine="tensorflow", model=model, data=data, epochs=1).folder)
    exported = open_onnx(run.export("onnx"))
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
    expected = [run.predict([image])[0].values for image in images]
    np.testing.assert_allclose(exported.run(images).probabilities, expected, rtol=0, atol=1e-5)
    with pytest.raises(UsageError, match="TensorFlow engine") as caught:
        run.export("torch")
    assert (caught.value.exit_code, caught.value.remedy) == (2, "--to onnx")


def test_a_network_of_tensorflow_needs_its_converter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(MissingError, match="tensorflow is not installed"):
        core_of(SimpleNamespace(network=object(), size=Size.of(32)))
