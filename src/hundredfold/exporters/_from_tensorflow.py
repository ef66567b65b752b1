"""A Keras network of the TensorFlow engine as an ONNX model, by tf2onnx."""

from typing import Any

from hundredfold.errors import MissingError, pip_install
from hundredfold.exporters._graph import LOGITS, OPSET, SIZED, quietly


def from_tensorflow(network: Any) -> Any:
    """Return the ONNX model of a Keras network: uint8 (batch, height, width, 3) -> logits.

    Raises MissingError where tf2onnx is not installed.
    """
    try:
        import tf2onnx
    except ImportError:
        raise MissingError(
            "tf2onnx is not installed",
            found="a network that only TensorFlow has is exported by it",
            remedy=pip_install("tf2onnx"),
        ) from None
    import tensorflow as tf

    signature = [tf.TensorSpec(network.input.shape, tf.uint8, name=SIZED)]
    with quietly():
        function = tf.function(lambda images: network(images, training=False), signature)
        model, _ = tf2onnx.convert.from_function(function, signature, opset=OPSET)
    return _renamed(model)


def _renamed(model: Any) -> Any:
    """Name the input and the output of a model, which tf2onnx names itself."""
    from onnx import helper

    (given,), (answer,) = model.graph.input, model.graph.output
    names = {given.name: SIZED, answer.name: LOGITS}
    for node in model.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    given.name, answer.name = SIZED, LOGITS
    kept = [(entry.domain, entry.version) for entry in model.opset_import if not entry.domain]
    del model.opset_import[:]
    model.opset_import.extend(helper.make_opsetid(*pair) for pair in kept)
    return model
