"""Load ImageNet weights of keras.applications, downloaded by Keras or from a file."""

import hashlib
import os
from pathlib import Path
from typing import Any

from hundredfold import data
from hundredfold.data import Source
from hundredfold.errors import MissingError
from hundredfold.paths import expanded
from hundredfold.recipe import Recipe
from hundredfold.weights.hdf5 import layers
from hundredfold.weights.locate import OFFICIAL, WeightsFile, unreadable

_DIGITS = 16


def resolve_weights(
    recipe: Recipe, source: Source, file: Path | None
) -> tuple[Recipe, WeightsFile | None]:
    """Return the recipe with its weights pinned by digest, and their file; None without weights.

    "imagenet" is downloaded, checked and cached by Keras. Any other value is a file of
    keras.applications without the top. file: the path of pinned weights.
    Raises MissingError where the file is missing or has another digest.
    """
    if not recipe.weights:
        return recipe, None
    name = str(recipe.model.options.get("name", recipe.model.name))
    if recipe.weights == OFFICIAL and file is None:
        return recipe, WeightsFile(_keras_cache(name), "", "keras")
    label_in_recipe, _, pinned = recipe.weights.rpartition("@")
    is_pinned = bool(label_in_recipe) and len(pinned) == _DIGITS
    path = file if file and (is_pinned or recipe.weights == OFFICIAL) else Path(recipe.weights)
    path = expanded(path)
    if not path.is_file():
        raise _no_file(path, name)
    digest = data.fingerprint(source.cache, path)[:_DIGITS]
    if is_pinned and digest != pinned:
        raise MissingError(
            f"the weights in {str(path)!r} are not those of the recipe",
            found=f"sha256 {digest}..., not {pinned}...",
            remedy="--weights with the former file",
        )
    label = path.name.replace("@", "-")
    return recipe.override({"weights": f"{label}@{digest}"}), WeightsFile(path, digest, "keras")


def load(network: Any, name: str, file: WeightsFile, *, offline: bool) -> str:
    """Copy published weights into a network of keras.applications; return file name and SHA-256.

    Keras reads its own download; a file of others is read here, within limits. Raises MissingError
    where they are missing or belong to another network.
    """
    official, path = not file.digest, file.path
    if not path.is_file() and offline:
        raise _no_file(path, name, "HUNDREDFOLD_OFFLINE forbids the download")
    try:
        _copy_official(network, name) if official else _copy(network, name, path)
    except Exception as error:  # Keras raises bare Exceptions for downloads that fail
        reason = error.found if isinstance(error, MissingError) else None
        message = " ".join((reason or str(error)).split())[:200]
        raise MissingError(
            f"cannot load weights for {name} from {str(path)!r}",
            found=message,
            remedy=f"Keras' {_keras_cache(name).name}",
        ) from None
    with path.open("rb") as stream:
        return f"{path.name}, sha256 {hashlib.file_digest(stream, 'sha256').hexdigest()}"


def _copy_official(network: Any, name: str) -> None:
    from hundredfold.engines.tensorflow.models import published

    for layer in published(name, OFFICIAL).layers:
        for variable, value in zip(_weights(network, layer.name), layer.weights, strict=True):
            variable.assign(value.value)


def _copy(network: Any, name: str, path: Path) -> None:
    """Copy a file's arrays; the shape of each is compared before its values are read."""
    from hundredfold.engines.tensorflow.models import published

    with layers(path) as arrays_of:
        for layer in published(name, None).layers:
            variables = _weights(network, layer.name)
            if not variables:
                continue
            arrays = arrays_of(layer.name, [tuple(variable.shape) for variable in variables])
            for variable, array in zip(variables, arrays, strict=True):
                if variable.name == "moving_variance" and (array < 0).any():
                    raise unreadable(path, f"{layer.name} holds a negative variance")
                variable.assign(array)


def _weights(network: Any, name: str) -> Any:
    """Return the weights of a layer by name; [] for a layer that the network lacks (the input)."""
    return next((layer.weights for layer in network.layers if layer.name == name), [])


def _no_file(path: Path, name: str, why: str | None = None) -> MissingError:
    return MissingError(
        f"there is no file {str(path)!r} with weights for {name}",
        found=why,
        remedy=f"put Keras' {_keras_cache(name).name} there",
        see="https://keras.io/api/applications/",
    )


def _keras_cache(name: str) -> Path:
    """Return the path of a published file in Keras' cache."""
    home = expanded(os.environ.get("KERAS_HOME", "~/.keras"))
    return home / "models" / f"{name}_weights_tf_dim_ordering_tf_kernels_notop.h5"
