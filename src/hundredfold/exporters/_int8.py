"""Quantise a network's ONNX model to int8, and find the layers that must stay in fp32."""

import copy
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hundredfold import files
from hundredfold.exporters._trained import Bounds
from hundredfold.onnx_model import session_of

_LAYERS = ("Conv", "Gemm", "MatMul")
_BATCH = 50  # images
_TRIES = 24  # models that are measured at most

Measured = Callable[[tuple[str, ...]], tuple[float, float]]


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

    def model(self, fp32: tuple[str, ...] = ()) -> Any:
        """Return the int8 model with some layers left in fp32."""
        from onnxruntime.quantization import QuantType
        from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

        with _only_errors():
            quantizer = QDQQuantizer(
                copy.deepcopy(self._ready),
                per_channel=True,
                reduce_range=False,
                weight_qType=QuantType.QInt8,
                activation_qType=QuantType.QInt8,
                tensors_range=self._ranges,
                nodes_to_quantize=[],
                nodes_to_exclude=list(fp32),
                op_types_to_quantize=_kinds(),
                extra_options={},
            )
            quantizer.quantize_model()
        quantizer.model.topological_sort()
        return quantizer.model.model

    def logits(self, fp32: tuple[str, ...], pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return logits (n, classes) of images with some layers in fp32."""
        session = session_of(self.model(fp32).SerializeToString(), "the int8 model")
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


def excluded_layers(layers: tuple[str, ...], measured: Measured, bounds: Bounds) -> tuple[str, ...]:
    """Return the layers to leave in fp32 so that a model holds its bounds: few, often none.

    measured: layers in fp32 -> agreement and drop. Layers are tried by halves: of each group the
    half whose exclusion helps more is divided further, until one layer is left; it stays in fp32
    and the search begins anew. What is returned may fail the bounds, after `_TRIES` models.
    """
    tries = 0
    chosen: tuple[str, ...] = ()

    def agreement(fp32: tuple[str, ...]) -> tuple[bool, float]:
        nonlocal tries
        tries += 1
        equal, drop = measured(fp32)
        return equal >= bounds.min_agreement and drop <= bounds.max_drop, equal - max(0.0, drop)

    holds, _ = agreement(())
    while not holds and tries < _TRIES and len(chosen) < len(layers):
        group = tuple(layer for layer in layers if layer not in chosen)
        while len(group) > 1 and tries < _TRIES:
            halves = group[: len(group) // 2], group[len(group) // 2 :]
            results = [agreement((*chosen, *half)) for half in halves]
            group = halves[0] if results[0][1] >= results[1][1] else halves[1]
        chosen = (*chosen, *group)
        holds, _ = agreement(chosen)
    return chosen
