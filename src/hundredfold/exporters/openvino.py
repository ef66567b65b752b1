"""OpenVINO: .xml and .bin, for Intel's runtime."""

import numpy as np
from numpy.typing import NDArray

from hundredfold import files
from hundredfold.errors import MissingError, pip_install
from hundredfold.exporters import onnx as from_onnx
from hundredfold.exporters._trained import Exported, Trained
from hundredfold.exporters._verify import verify
from hundredfold.onnx_model import OUTPUTS, Outputs

FILE = "model.xml"
_FP32 = {"INFERENCE_PRECISION_HINT": "f32", "EXECUTION_MODE_HINT": "ACCURACY"}


def openvino(trained: Trained) -> Exported:
    """Return a run's network as OpenVINO's files, checked with its runtime.

    Raises MissingError where the package is not installed.
    """
    try:
        import openvino as runtime
    except ImportError:
        raise MissingError(
            "OpenVINO is not installed",
            found="--to openvino needs the extra 'openvino'",
            remedy=pip_install("openvino"),
        ) from None
    content = from_onnx.graph(trained, "openvino", branch=False)
    with files.temporary_folder() as folder:
        source, xml = folder / "model.onnx", folder / FILE
        source.write_bytes(content)
        model = runtime.convert_model(source)
        for key, value in trained.metadata("openvino").items():
            model.set_rt_info(value, ["hundredfold", key])
        runtime.save_model(model, xml, compress_to_fp16=False)
        compiled = runtime.Core().compile_model(xml, "CPU", _FP32)
        xml_text, weights = xml.read_bytes(), xml.with_suffix(".bin").read_bytes()

    def compute(images: NDArray[np.uint8]) -> Outputs:
        answers = compiled(images)
        return Outputs(*(np.array(answers[name]) for name in OUTPUTS))

    name = f"openvino {runtime.__version__.partition('-')[0]}"
    return Exported(xml_text, verify(compute, trained, name), {".bin": weights})
