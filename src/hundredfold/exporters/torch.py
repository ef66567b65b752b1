"""torch: a program of torch.export, a .pt2 file, which runs without this package."""

import io
import json
import warnings

import numpy as np
from numpy.typing import NDArray
from torch import __version__, from_numpy, no_grad, uint8, zeros
from torch.export import Dim, export, load, save
from torch.nn import Module

from hundredfold.errors import UsageError
from hundredfold.exporters._core import module_of
from hundredfold.exporters._network import Deployable, Head
from hundredfold.exporters._trained import Exported, Trained
from hundredfold.exporters._verify import verify
from hundredfold.onnx_model import Outputs

FILE = "model.pt2"
_METADATA = "hundredfold.json"  # an extra file within the archive


def torch(trained: Trained) -> Exported:
    """Return a run's network as a program of torch.export, checked after it is loaded anew.

    Raises UsageError for a network that only TensorFlow has.
    """
    classifier = trained.classifier
    network = classifier.network  # type: ignore[attr-defined]
    if not isinstance(network, Module):
        raise UsageError(
            f"{trained.run.recipe.model.name} is a network of the TensorFlow engine",
            remedy="--to onnx",
        )
    size = classifier.size
    head = Head(trained.calibration.temperature, len(classifier.classes))
    whole = Deployable(size, classifier.resize, module_of(network, classifier), head).eval()
    example = zeros((2, size.height + 1, size.width + 2, 3), dtype=uint8)
    free = {0: Dim("batch"), 1: Dim("height"), 2: Dim("width")}
    file = io.BytesIO()
    with warnings.catch_warnings(), no_grad():
        warnings.simplefilter("ignore")  # of torch's exporter, about itself
        program = export(whole, (example,), dynamic_shapes=(free,))
        save(program, file, extra_files={_METADATA: json.dumps(trained.metadata("torch"))})
        content = file.getvalue()
        module = load(io.BytesIO(content)).module()

    def compute(images: NDArray[np.uint8]) -> Outputs:
        with no_grad():
            return Outputs(*(each.numpy() for each in module(from_numpy(images.copy()))))

    return Exported(content, verify(compute, trained, f"torch {__version__}"))
