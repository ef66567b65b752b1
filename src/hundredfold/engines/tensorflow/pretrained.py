"""Weights of ImageNet into a network, as Keras publishes them or from a file."""

import hashlib
import os
from pathlib import Path
from typing import Any

from hundredfold.engines.tensorflow.models import published
from hundredfold.errors import MissingError


def load(network: Any, name: str, weights: str, *, offline: bool) -> str:
    """Copy published weights into a network of keras.applications; return what they are.

    weights: "imagenet", which Keras downloads, checks and keeps, or the path of a file.
    Raises MissingError where they are not there, or belong to another network.
    """
    place = _place(name) if weights == "imagenet" else Path(weights).expanduser()
    if not place.is_file() and (weights != "imagenet" or offline):
        raise MissingError(
            f"there is no file {str(place)!r} with weights for {name}",
            found="HUNDREDFOLD_OFFLINE forbids the download" if weights == "imagenet" else None,
            remedy=f"put Keras' {_place(name).name} there",
            see="https://keras.io/api/applications/",
        )
    try:
        source = published(name, weights if weights == "imagenet" else str(place))
    except Exception as error:  # Keras raises bare Exceptions for downloads that fail
        words = " ".join(str(error).split())[:200]
        raise MissingError(
            f"cannot load weights for {name} from {weights!r}",
            found=words,
            remedy=f"Keras' {_place(name).name}",
        ) from None
    for layer in source.layers:
        for variable, wanted in zip(_weights(network, layer.name), layer.weights, strict=True):
            variable.assign(wanted.value)
    return f"{place.name}, sha256 {hashlib.sha256(place.read_bytes()).hexdigest()}"


def _weights(network: Any, name: str) -> Any:
    """Return a layer's weights; the input's, which has none, goes by another name."""
    return next((layer.weights for layer in network.layers if layer.name == name), [])


def _place(name: str) -> Path:
    """Return where Keras keeps the file that it publishes."""
    home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    return home / "models" / f"{name}_weights_tf_dim_ordering_tf_kernels_notop.h5"
