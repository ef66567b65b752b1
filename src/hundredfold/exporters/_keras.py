"""A network of the TensorFlow engine as an ONNX model, converted by tf2onnx."""

import logging
from typing import Any

from hundredfold.errors import MissingError, pip_install
from hundredfold.exporters._graph import LOGITS, OPSET, SIZED, need_onnx
from hundredfold.size import Size


def keras_graph(network: Any, size: Size) -> Any:
    """Return the ONNX model of a Keras model: uint8 (batch, height, width, 3) -> logits.

    Raises MissingError without TensorFlow and tf2onnx, which the extra `tensorflow` holds.
    """
    need_onnx()
    try:
        import tensorflow
        import tf2onnx
    except ImportError as error:
        raise MissingError(
            f"{error.name or 'a package'} is not installed",
            found="networks that only TensorFlow has are exported by tf2onnx",
            remedy=pip_install("tensorflow", "tf2onnx"),
        ) from None
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    images = tensorflow.TensorSpec((None, *size, 3), tensorflow.uint8, name=SIZED)
    compute = tensorflow.function(
        lambda images: network(images, training=False), input_signature=[images]
    )
    model, _ = tf2onnx.convert.from_function(compute, input_signature=[images], opset=OPSET)
    return _renamed(model)


def _renamed(model: Any) -> Any:
    """Call input, output and batch as in the other graphs; leave out domains without a node."""
    graph = model.graph
    names = {graph.input[0].name: SIZED, graph.output[0].name: LOGITS}
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    for value in (graph.input[0], graph.output[0]):
        value.name = names[value.name]
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    used = {node.domain for node in graph.node}
    for entry in [entry for entry in model.opset_import if entry.domain not in used]:
        model.opset_import.remove(entry)
    return model
