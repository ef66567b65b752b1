"""An exported ONNX file as a classifier: ONNX Runtime and NumPy, no torch.

A file may come from anybody: its metadata are checked, and it is read as bytes, so that nothing
in it can name another file.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hundredfold import machine
from hundredfold.calibration import Calibration, LabelSets, Rejection
from hundredfold.errors import DataError, MissingError, UsageError, pip_install
from hundredfold.onnx_metadata import missing_bounds
from hundredfold.size import Size

if TYPE_CHECKING:  # a server's worker decodes nothing
    from hundredfold.data import Pixels, Resize

LAYOUT = "1"  # version of the inputs, outputs and metadata
INPUT, OUTPUTS = "images", ("probabilities", "logits", "unknown")
_BATCH = 64  # images that are computed together
_LARGEST = 2**31 - 1  # bytes; a protobuf cannot be larger
_MOST_SIDE = 4096  # pixels
_FATAL_ONLY = 4  # level of ONNX Runtime's log
_KINDS = {"images": ("tensor(uint8)", 4), "probabilities": ("tensor(float)", 2),
          "logits": ("tensor(float)", 2), "unknown": ("tensor(float)", 1)}  # fmt: skip
_DAMAGED = (KeyError, TypeError, ValueError, OverflowError, RecursionError, UsageError)
_POLICIES: "tuple[Resize, ...]" = ("crop", "pad", "stretch")
_ROUNDING = 1e-6  # relative: numbers that are fitted anew may differ by it


class Outputs(NamedTuple):
    """What a file computes for n images.

    probabilities: (n, classes), after the temperature. logits: (n, classes), before it.
    unknown: (n,) in [0, 1], high for images unlike those of training.
    """

    probabilities: NDArray[np.float32]
    logits: NDArray[np.float32]
    unknown: NDArray[np.float32]


class OnnxModel:
    """An exported network; it is a `Classifier`.

    metadata: the texts stored in the file. classes: their names. size: of the network's images,
    which others are resized to within the file, by `resize`. calibration: temperature, and the
    bounds chosen at export.
    """

    def __init__(self, session: Any, name: str) -> None:
        self._session, self._name = session, name
        self.metadata: dict[str, str] = dict(session.get_modelmeta().custom_metadata_map)
        _need_own(session, self.metadata, name)
        try:
            self.classes = _classes(self.metadata["labels"], _shapes(session)["logits"][1][1])
            self.size = _size(self.metadata["image_size"])
            self.resize = _resize(self.metadata["resize"])
            self.calibration = calibration_of(self.metadata)
        except _DAMAGED as error:
            raise DataError(
                f"the metadata of {name!r} are damaged",
                found=str(error)[:200],
                remedy="export it again: hundredfold export RUN --to onnx",
            ) from None

    def run(self, images: NDArray[np.uint8]) -> Outputs:
        """Compute images, uint8 (n, height, width, 3) of any one size, n >= 1.

        Raises UsageError for another shape or type, and DataError where the file cannot compute.
        """
        images = np.asarray(images)
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3 or not images.size:
            raise UsageError(
                f"images of {images.dtype} {images.shape} cannot be classified",
                remedy="uint8 pixels of shape (n, height, width, 3)",
            )
        try:
            found = self._session.run(list(OUTPUTS), {INPUT: np.ascontiguousarray(images)})
        except Exception as error:  # of ONNX Runtime's own types, which share no other base
            raise DataError(
                f"{self._name!r} cannot compute images of {images.shape}", found=_short(error)
            ) from None
        return Outputs(*found)

    def need_bounds(self, reject_at: str, sets: float) -> None:
        """Raise UsageError unless the file was exported with these bounds; "" and 0 take any."""
        if missing := missing_bounds(self.metadata, reject_at, sets):
            raise UsageError(
                f"the file was not exported with {missing}",
                remedy=f"hundredfold export RUN --to onnx {missing}",
            )

    def logits(self, pixels: "Pixels", indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return logits (len(indices), classes) of images (n, height, width, 3)."""
        blocks = [indices[first : first + _BATCH] for first in range(0, len(indices), _BATCH)]
        parts = [self.run(np.asarray(pixels[block])).logits for block in blocks]
        return np.concatenate(parts) if parts else np.empty((0, len(self.classes)), np.float32)


def open_onnx(file: Path | bytes, threads: int = 0, *, spins: bool = True) -> OnnxModel:
    """Open a file that `hundredfold export` wrote, or its bytes.

    threads: to compute with; 0 takes every core. spins: whether threads wait awake for work, which
    is faster and keeps their cores busy. Raises MissingError without onnxruntime, and DataError
    for a file that cannot be read or that Hundredfold did not write.
    """
    name = str(file) if isinstance(file, Path) else "the ONNX file"
    content = _read(file) if isinstance(file, Path) else file
    return OnnxModel(session_of(content, name, threads, spins=spins), name)


def session_of(content: bytes, name: str, threads: int = 0, *, spins: bool = True) -> Any:
    """Return ONNX Runtime's session of a file's bytes; errors as in `open_onnx`."""
    try:
        import onnxruntime
    except ImportError:
        raise MissingError(
            "ONNX Runtime is not installed",
            found="ONNX files need the extra 'export'",
            remedy=pip_install("onnxruntime"),
        ) from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or machine.cores()
    options.log_severity_level = _FATAL_ONLY
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(spins)))
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # of ONNX Runtime's own types, which share no other base
        raise DataError(
            f"cannot read {name!r}",
            found=_short(error),
            remedy="an ONNX file written by: hundredfold export RUN --to onnx",
        ) from None


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > _LARGEST:
            raise DataError(f"cannot read {str(path)!r}", found="it is larger than 2 GB")
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {str(path)!r}", found=error.strerror) from None


def _need_own(session: Any, metadata: Mapping[str, str], name: str) -> None:
    """Raise DataError unless a file has the layout of this version."""
    kinds = {name: (kind, len(shape)) for name, (kind, shape) in _shapes(session).items()}
    layout = metadata.get("hundredfold")
    if layout == LAYOUT and len(session.get_inputs()) == 1 and _KINDS.items() <= kinds.items():
        return
    found = f"layout {layout[:20]}, and this version reads {LAYOUT}" if layout else None
    raise DataError(
        f"{name!r} is no ONNX file of Hundredfold",
        found=found,
        remedy="hundredfold export RUN --to onnx",
    )


def _shapes(session: Any) -> dict[str, tuple[str, list[int | str | None]]]:
    """Return the type and the shape of each input and output by its name."""
    values = (*session.get_inputs(), *session.get_outputs())
    return {value.name: (value.type, value.shape) for value in values}


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _classes(text: str, count: int | str | None) -> tuple[str, ...]:
    labels = json.loads(text)
    if not isinstance(labels, list) or not labels or not all(isinstance(k, str) for k in labels):
        raise ValueError("labels is no list of names")
    if len(labels) != count:
        raise ValueError(f"{len(labels)} labels for {count} logits")
    return tuple(labels)


def _size(text: str) -> Size:
    size = Size.of(text)
    if not size.within(1, _MOST_SIDE):
        raise ValueError(f"image_size is {size}")
    return size


def _resize(text: str) -> "Resize":
    for policy in _POLICIES:
        if text == policy:
            return policy
    raise ValueError(f"resize is {text[:20]!r}")


def calibration_of(metadata: Mapping[str, str]) -> Calibration:
    """Return the temperature and the bounds in a file's metadata.

    Raises KeyError, TypeError or ValueError where they are damaged or absent.
    """
    temperature = float(metadata["temperature"])
    if not 0 < temperature < float("inf"):
        raise ValueError(f"temperature is {temperature}")
    reject, sets = (json.loads(metadata.get(key, "null")) for key in ("reject", "sets"))
    found = Calibration(temperature)
    if reject is not None:
        found = replace(
            found, reject=Rejection(str(reject["rule"]), _fraction(reject["threshold"]))
        )
    if sets is not None:
        found = replace(
            found, sets=LabelSets(_fraction(sets["coverage"]), _fraction(sets["threshold"]))
        )
    return found


def _fraction(value: object) -> float:
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(f"a bound is {str(value)[:20]}")
    return float(value)


def is_calibrated_as(metadata: Mapping[str, str], wanted: Calibration) -> bool:
    """Return whether a file of this layout has a temperature and bounds, up to rounding."""
    try:
        found = calibration_of(metadata)
    except _DAMAGED:
        return False
    (asked, numbers), (other_asked, others) = _parts(found), _parts(wanted)
    return (
        metadata.get("hundredfold") == LAYOUT
        and asked == other_asked
        and np.allclose(numbers, others, rtol=_ROUNDING, atol=0)
    )


def _parts(how: Calibration) -> tuple[tuple[object, ...], list[float]]:
    """Return what bounds were asked for, and the numbers that were fitted for it."""
    asked = (how.reject and how.reject.rule, how.sets and how.sets.coverage)
    fitted = [bound.threshold for bound in (how.reject, how.sets) if bound is not None]
    return asked, [how.temperature, *fitted]
