"""ONNX with 8-bit weights and activations: smaller and faster, and measured against fp32.

Convolutions and matrix products compute in int8 (QDQ, weights by output channel), with ranges from
training images, and so does what lies between them. Resize, softmax and `unknown` stay as they are.
Where too many images change their class, only layers are in int8, and the worst ones in fp32.
"""

from typing import Any

import numpy as np

from hundredfold.errors import CheckError
from hundredfold.exporters._core import core_of
from hundredfold.exporters._graph import joined, need_onnx
from hundredfold.exporters._int8 import Layers, Quantizer, int8_layers
from hundredfold.exporters._latency import latencies
from hundredfold.exporters._network import Head
from hundredfold.exporters._trained import Exported, Trained
from hundredfold.exporters._verify import check_resize, in_batches, reference, scores
from hundredfold.onnx_model import open_onnx

FILE = "model-int8.onnx"
_FEW = 100  # training images that the error of a layer is measured on


def onnx_int8(trained: Trained) -> Exported:
    """Return a run's network as an int8 ONNX file with at least one layer in int8.

    Raises CheckError where fewer images than `Bounds` allow keep their class, or accuracy drops.
    """
    need_onnx()
    core = core_of(trained.classifier)
    expected = reference(trained, trained.sample)
    quantizer = Quantizer(core, trained.calibrating)

    def holds(layers: Layers | None) -> bool:
        """Return whether a model with these layers in int8 keeps the bounds."""
        logits = quantizer.logits(layers, trained.sample.pixels)
        equal = float((logits.argmax(1) == expected.argmax(1)).mean())
        correct = scores(logits, expected, trained.sample.labels)["top_1"]
        drop = correct["network"] - correct["file"]
        return equal >= bounds.min_agreement and drop <= bounds.max_drop

    few = trained.calibrating[:_FEW]
    exact = quantizer.logits((), few)

    def error(layers: Layers) -> float:
        """Return the mean squared error of logits with only these layers in int8."""
        return float(np.square(quantizer.logits(layers, few) - exact).mean())

    bounds = trained.bounds
    int8 = int8_layers(quantizer.layers, error, holds) or None
    layers = [] if int8 is None else [each for each in quantizer.layers if each not in int8]
    content = _joined(trained, quantizer.model(int8), "onnx-int8")
    check = _check(trained, content, expected, layers)
    if check["equal_classes"] >= bounds.min_agreement and check["drop"] <= bounds.max_drop:
        whole = _joined(trained, core, "onnx")
        return Exported(content, check | _cost(trained, content, whole))
    raise CheckError(
        "the int8 file differs from the network by more than is allowed, so no file was written",
        found=f"{check['equal_classes']:.2%} equal classes and an accuracy lower by "
        f"{check['drop']:.2%} on {check['n']:,} {check['source']} images, with "
        f"{len(layers)} of {len(quantizer.layers)} layers in fp32",
        remedy=f"--to onnx, or --min-agreement {np.floor(1e3 * check['equal_classes']) / 1e3:g} "
        f"--max-drop {max(0.0, np.ceil(1e3 * check['drop']) / 1e3):g}",
    )


def _joined(trained: Trained, core: Any, kind: str) -> bytes:
    classifier = trained.classifier
    return joined(
        core,
        size=classifier.size,
        resize=classifier.resize,
        head=Head(trained.calibration.temperature, len(classifier.classes)),
        metadata=trained.metadata(kind),
    )


def _check(trained: Trained, content: bytes, expected: Any, layers: list[str]) -> dict[str, Any]:
    import onnxruntime

    sample, model = trained.sample, open_onnx(content)
    found = in_batches(model.run, sample.pixels)
    scored = scores(found.logits, expected, sample.labels)
    probabilities = trained.calibration.probabilities(expected)
    return {
        "runtime": f"onnxruntime {onnxruntime.__version__}",
        "source": sample.source,
        "n": len(sample),
        "calibrated_on": len(trained.calibrating),
        "largest_difference": {
            "logits": float(np.abs(found.logits - expected).max()),
            "probabilities": float(np.abs(found.probabilities - probabilities).max()),
        },
        "equal_classes": float((found.logits.argmax(1) == expected.argmax(1)).mean()),
        "scores": scored,
        "drop": scored["top_1"]["network"] - scored["top_1"]["file"],
        "fp32_layers": layers,
        "resize": check_resize(model.run, trained, sample),
    }


def _cost(trained: Trained, content: bytes, whole: bytes) -> dict[str, Any]:
    """Return size and latency of the int8 file and of the fp32 file."""
    image = trained.sample.pixels[:1]
    fp32, int8 = latencies([whole, content], image)
    return {
        "fp32_bytes": len(whole),
        "smaller": len(whole) / len(content),
        "milliseconds": {"fp32": fp32, "int8": int8},
        "faster": fp32 / int8,
    }
