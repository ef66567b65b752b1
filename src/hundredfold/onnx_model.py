"""An exported ONNX file as a classifier, with onnxruntime and without torch."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from hundredfold.calibration import Calibration, LabelSets, Rejection
from hundredfold.errors import DataError, MissingError, UsageError, pip_install
from hundredfold.size import Size

_OUTPUTS = ["probabilities", "logits", "unknown"]
_VERSION = "1"


@dataclass(frozen=True)
class Outputs:
    """What a file computes. probabilities, logits: (n, classes); unknown: (n,) in [0, 1]."""

    probabilities: NDArray[np.float32]
    logits: NDArray[np.float32]
    unknown: NDArray[np.float32]


class OnnxModel:
    """An open file. metadata: all of its strings, by name."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.metadata: dict[str, str] = dict(session.get_modelmeta().custom_metadata_map)
        self.classes: tuple[str, ...] = tuple(json.loads(self.metadata["labels"]))
        self.size = Size.of(self.metadata["image_size"])
        self.resize = self.metadata["resize"]
        reject, sets = (json.loads(self.metadata.get(name, "null")) for name in ("reject", "sets"))
        self.calibration = Calibration(
            float(self.metadata["temperature"]),
            reject=reject and Rejection(reject["rule"], reject["threshold"]),
            sets=sets and LabelSets(sets["coverage"], sets["threshold"]),
        )

    def run(self, images: NDArray[np.uint8]) -> Outputs:
        """Compute the outputs for images (n, height, width, 3)."""
        values = self._session.run(_OUTPUTS, {"images": np.ascontiguousarray(images)})
        return Outputs(*cast(list[NDArray[np.float32]], values))


def open_onnx(path: Path, threads: int = 0) -> OnnxModel:
    """Open an exported file. threads: of one computation; 0 takes every core.

    Raises UsageError where there is no such file, DataError where it is none of ours, MissingError
    where onnxruntime is absent.
    """
    try:
        import onnxruntime
    except ImportError:
        raise MissingError(
            "onnxruntime is not installed", remedy=pip_install("onnxruntime")
        ) from None
    if not path.is_file():
        raise UsageError(f"there is no file {str(path)!r}", remedy="hundredfold export RUN")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        if session.get_modelmeta().custom_metadata_map.get("hundredfold") != _VERSION:
            raise ValueError("it was not written by hundredfold export")
        return OnnxModel(session)
    except Exception as error:  # onnxruntime raises classes of its own
        reason = " ".join(str(error).split())[:300]
        raise DataError(
            f"cannot open {str(path)!r}: {reason}", remedy="hundredfold export RUN --to onnx"
        ) from None
