"""The network of a run without resize and head, as a module or as an ONNX model."""

from typing import Any

from torch import nn

from hundredfold.classifier import Classifier
from hundredfold.engines.pytorch.transfer import Transfer
from hundredfold.exporters._graph import core_graph
from hundredfold.exporters._keras import keras_graph
from hundredfold.exporters._network import Core, Enlarged


def core_of(classifier: Classifier) -> Any:
    """Return the ONNX model of a network: uint8 (batch, height, width, 3) -> logits.

    Raises MissingError without the packages that convert it.
    """
    network = classifier.network  # type: ignore[attr-defined]
    if not isinstance(network, nn.Module):
        return keras_graph(network, classifier.size)
    return core_graph(module_of(network, classifier), classifier.size)


def module_of(network: nn.Module, classifier: Classifier) -> Core:
    """Return a PyTorch network as a `Core`, in inference mode."""
    if isinstance(network, Transfer) and network.input_size != classifier.size:
        return Core(Enlarged(network, classifier.size, network.input_size)).eval()
    return Core(network).eval()
