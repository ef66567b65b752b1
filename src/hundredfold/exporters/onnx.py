"""ONNX: one file that takes raw images, for ONNX Runtime on any machine."""

from hundredfold.exporters._core import core_of
from hundredfold.exporters._graph import joined, need_onnx
from hundredfold.exporters._network import Head
from hundredfold.exporters._trained import Exported, Trained
from hundredfold.exporters._verify import verify
from hundredfold.onnx_model import open_onnx

FILE = "model.onnx"


def onnx(trained: Trained) -> Exported:
    """Return a run's network as an ONNX file, checked with ONNX Runtime."""
    content = graph(trained, "onnx")
    import onnxruntime

    check = verify(open_onnx(content).run, trained, f"onnxruntime {onnxruntime.__version__}")
    return Exported(content, check)


def graph(trained: Trained, kind: str, *, branch: bool = True) -> bytes:
    """Return a run's network as an ONNX file that is not checked yet.

    kind: of the target, for the metadata. branch: see `joined`.
    Raises MissingError without the extra `export`.
    """
    need_onnx()
    classifier = trained.classifier
    return joined(
        core_of(classifier),
        size=classifier.size,
        resize=classifier.resize,
        head=Head(trained.calibration.temperature, len(classifier.classes)),
        metadata=trained.metadata(kind),
        branch=branch,
    )
