"""Weights of ImageNet into a network, as Keras publishes them or from a file."""

import hashlib
import os
from pathlib import Path
from typing import Any

from hundredfold import data
from hundredfold.data import Source
from hundredfold.errors import MissingError
from hundredfold.recipe import Recipe
from hundredfold.weights.locate import OFFICIAL, WeightsFile

_DIGITS = 16


def resolve_weights(
    recipe: Recipe, source: Source, place: Path | None
) -> tuple[Recipe, WeightsFile | None]:
    """Return the recipe with its weights pinned, and their file; None where it begins at random.

    "imagenet" is what Keras downloads, checks and keeps; else the field names a file as published
    for keras.applications without the top. place: where a pinned file lies.
    Raises MissingError where the file is not there, or is another.
    """
    if not recipe.weights:
        return recipe, None
    name = str(recipe.model.options.get("name", recipe.model.name))
    if recipe.weights == OFFICIAL and place is None:
        return recipe, WeightsFile(_kept_by_keras(name), "", "keras")
    named, _, pinned = recipe.weights.rpartition("@")
    known = bool(named) and len(pinned) == _DIGITS
    path = place if place and (known or recipe.weights == OFFICIAL) else Path(recipe.weights)
    path = path.expanduser()
    if not path.is_file():
        raise _no_file(path, name)
    digest = data.fingerprint(source.cache, path)[:_DIGITS]
    if known and digest != pinned:
        raise MissingError(
            f"the weights in {str(path)!r} are not those of the recipe",
            found=f"sha256 {digest}..., not {pinned}...",
            remedy="--weights with the former file",
        )
    label = path.name.replace("@", "-")
    return recipe.override({"weights": f"{label}@{digest}"}), WeightsFile(path, digest, "keras")


def load(network: Any, name: str, file: WeightsFile, *, offline: bool) -> str:
    """Copy published weights into a network of keras.applications; return what they are.

    Raises MissingError where they are not there, or belong to another network.
    """
    from hundredfold.engines.tensorflow.models import published

    official, path = not file.digest, file.path
    if not path.is_file() and offline:
        raise _no_file(path, name, "HUNDREDFOLD_OFFLINE forbids the download")
    try:
        source = published(name, OFFICIAL if official else str(path))
    except Exception as error:  # Keras raises bare Exceptions for downloads that fail
        words = " ".join(str(error).split())[:200]
        raise MissingError(
            f"cannot load weights for {name} from {str(path)!r}",
            found=words,
            remedy=f"Keras' {_kept_by_keras(name).name}",
        ) from None
    for layer in source.layers:
        for variable, wanted in zip(_weights(network, layer.name), layer.weights, strict=True):
            variable.assign(wanted.value)
    return f"{path.name}, sha256 {hashlib.sha256(path.read_bytes()).hexdigest()}"


def _weights(network: Any, name: str) -> Any:
    """Return a layer's weights; the input's, which has none, goes by another name."""
    return next((layer.weights for layer in network.layers if layer.name == name), [])


def _no_file(path: Path, name: str, why: str | None = None) -> MissingError:
    return MissingError(
        f"there is no file {str(path)!r} with weights for {name}",
        found=why,
        remedy=f"put Keras' {_kept_by_keras(name).name} there",
        see="https://keras.io/api/applications/",
    )


def _kept_by_keras(name: str) -> Path:
    """Return where Keras keeps the file that it publishes."""
    home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    return home / "models" / f"{name}_weights_tf_dim_ordering_tf_kernels_notop.h5"
