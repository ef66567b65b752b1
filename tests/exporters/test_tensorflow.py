"""Runs of the TensorFlow engine: what PyTorch has too is exported; the rest is refused by name."""

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest

import hundredfold as hf
from hundredfold.errors import UsageError
from hundredfold.exporters._core import core_of
from hundredfold.onnx_model import open_onnx
from hundredfold.run import Run


def test_a_network_that_pytorch_has_too_is_exported(small_run: Callable[..., Run]) -> None:
    pytest.importorskip("tensorflow", reason="the extra tensorflow is not installed")
    run = hf.load(small_run(engine="tensorflow", model="simple_cnn").folder)
    model = open_onnx(run.export("onnx"))
    images = np.random.default_rng(0).integers(0, 256, (3, 18, 18, 3), np.uint8)
    expected = [run.predict([image])[0].values for image in images]
    np.testing.assert_allclose(model.run(images).probabilities, expected, rtol=0, atol=1e-5)


def test_a_network_that_only_tensorflow_has_is_refused() -> None:
    with pytest.raises(UsageError, match="only TensorFlow has") as caught:
        core_of(SimpleNamespace(network=object()))
    assert caught.value.exit_code == 2
