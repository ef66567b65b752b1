"""ONNX: one file that takes raw images, for ONNX Runtime on any machine."""

from hundredfold.exporters._core import core_of
from hundredfold.exporters._graph import joined, need_onnx
from hundredfold.exporters._trained import Exported, Trained
from hundredfold.exporters.network import Head
from hundredfold.exporters.verify import verify
from hundredfold.onnx_model import open_onnx

FILE = "model.onnx"


def onnx(trained: Trained) -> Exported:
    """Return a run's network as an ONNX file, checked with ONNX Runtime."""
    need_onnx()
    import onnxruntime

    classifier = trained.classifier
    content = joined(
        core_of(classifier),
        size=classifier.size,
        resize=classifier.resize,
        head=Head(trained.calibration.temperature, len(classifier.classes)),
        metadata=trained.metadata("onnx"),
    )
    model = open_onnx(content)
    return Exported(content, verify(model.run, trained, f"onnxruntime {onnxruntime.__version__}"))
