"""Quantise a network's ONNX model to int8, and find the layers that can hold it."""

import copy
import itertools
import logging
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hundredfold import files
from hundredfold.onnx_model import session_of

_LAYERS = ("Conv", "Gemm", "MatMul")
_BATCH = 50  # images
_TRIES = 64  # errors of groups of layers that are measured at most

Layers = tuple[str, ...]


class Quantizer:
    """A network's ONNX model (images -> logits) with ranges of its values on training images.

    layers: the names of the nodes that can compute in int8, from the input on. The ranges are
    measured once, whichever layers a model leaves in fp32.
    """

    def __init__(self, core: Any, images: NDArray[np.uint8]) -> None:
        import onnx
        from onnxruntime.quantization.quant_utils import load_model_with_shape_infer
        from onnxruntime.quantization.shape_inference import quant_pre_process

        self._input = core.graph.input[0].name
        with files.temporary_folder() as folder:
            source, path = folder / "core.onnx", folder / "ready.onnx"
            onnx.save(core, str(source))
            quant_pre_process(str(source), str(path), skip_symbolic_shape=True)
            ready = onnx.load(str(path))
            for index, node in enumerate(ready.graph.node):
                node.name = node.name or f"{node.op_type}_{index}"
            onnx.save(ready, str(path))
            self._ready = load_model_with_shape_infer(path)
            self._ranges = _ranges(path, _Batches(images, self._input))
        self.layers = tuple(n.name for n in self._ready.graph.node if n.op_type in _LAYERS)

    def model(self, int8: Layers | None = None) -> Any:
        """Return the model with some layers in int8; None: all, and what lies between them."""
        from onnxruntime.quantization import QuantType
        from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

        with _only_errors():
            quantizer = QDQQuantizer(
                copy.deepcopy(self._ready),
                per_channel=True,
                reduce_range=False,
                weight_qType=QuantType.QInt8,
                activation_qType=QuantType.QUInt8,  # QInt8 leaves most convolutions in fp32
                tensors_range=self._ranges,
                nodes_to_quantize=[],
                nodes_to_exclude=[] if int8 is None else sorted({*self.layers} - {*int8}),
                op_types_to_quantize=_kinds() if int8 is None else list(_LAYERS),
                extra_options={},
            )
            quantizer.quantize_model()
        quantizer.model.topological_sort()
        return quantizer.model.model

    def logits(self, int8: Layers | None, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return logits (n, classes) of images, with layers in int8 as in `model`."""
        session = session_of(self.model(int8).SerializeToString(), "the int8 model")
        blocks = (pixels[first : first + _BATCH] for first in range(0, len(pixels), _BATCH))
        parts = [session.run(None, {self._input: block})[0] for block in blocks]
        return np.concatenate(parts)


def _ranges(path: Path, batches: "_Batches") -> Any:
    """Return least and largest values of what every layer takes and gives."""
    from onnxruntime.quantization import create_calibrator

    augmented = path.with_name("augmented.onnx")
    with _only_errors():
        calibrator = create_calibrator(path, _kinds(), augmented_model_path=str(augmented))
        calibrator.collect_data(batches)
        return calibrator.compute_data()


def _kinds() -> list[str]:
    """Return the kinds of nodes that ONNX Runtime computes in int8."""
    from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry

    return sorted({*QDQRegistry, *QLinearOpsRegistry})


@contextmanager
def _only_errors() -> Iterator[None]:
    """Leave out what onnxruntime.quantization recommends."""
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


class _Batches:
    """Batches of images, as onnxruntime.quantization reads them."""

    def __init__(self, images: NDArray[np.uint8], name: str) -> None:
        self._batches: Iterator[dict[str, NDArray[np.uint8]]] = iter(
            [{name: images[first : first + _BATCH]} for first in range(0, len(images), _BATCH)]
        )

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        return next(self._batches, None)


def int8_layers(
    layers: Layers, error: Callable[[Layers], float], holds: Callable[[Layers | None], bool]
) -> Layers | None:
    """Return the most layers in int8 that hold the bounds; None: all, and what lies between.

    error: of the logits, squared, with only these layers in int8; those of several layers add up,
    nearly. The worst layers stay in fp32: 1, 2, 4 and so on until the bounds are held, then as few
    as hold them. What is returned may fail the bounds, after `_TRIES` errors.
    """
    if holds(None):
        return None
    worst, fp32 = _worst_first(layers, error), list[str]()

    def without(count: int) -> Layers:
        return tuple(layer for layer in layers if layer not in fp32[:count])

    fails, enough = -1, 0
    while not holds(without(enough)):
        fails = enough
        fp32 += itertools.islice(worst, max(1, enough))
        enough = len(fp32)
        if enough == fails:
            return without(fails)
    while enough - fails > 1:
        middle = (fails + enough) // 2
        fails, enough = (fails, middle) if holds(without(middle)) else (middle, enough)
    return without(enough)


def _worst_first(layers: Layers, error: Callable[[Layers], float]) -> Iterator[str]:
    """Yield layers by falling error, found by halving the worst group; at most `_TRIES` errors."""
    groups, tries = [(math.inf, layers)], 0
    while groups:
        _, group = groups.pop(groups.index(max(groups)))
        if len(group) == 1:
            yield group[0]
            continue
        if tries >= _TRIES:
            return
        halves = group[: len(group) // 2], group[len(group) // 2 :]
        groups += [(error(half), half) for half in halves]
        tries += 2
