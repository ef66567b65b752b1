"""Load a file of weights into a network without its head: all tensors, or none."""

from collections.abc import Iterable, Mapping

from torch import Tensor, nn

from hundredfold import models
from hundredfold.backbones import BACKBONES, TIMM, name_of
from hundredfold.errors import DataError, MissingError
from hundredfold.models.timm import tensor_names
from hundredfold.spec import Part
from hundredfold.weights import _keras
from hundredfold.weights import files as weight_files
from hundredfold.weights._names import our_names
from hundredfold.weights.locate import (
    WeightsFile,
    need_same_network,
    own_metadata,
    run_size,
    unreadable,
)
from hundredfold.weights.official import how_to_get

_SIZE = 224  # pixels of the images that published weights were trained on


def load_weights(backbone: nn.Module, network: Part, file: WeightsFile) -> None:
    """Load weights into a backbone, which is `network` without its head.

    Names and shapes are compared first. The file must have every tensor of the backbone, and none
    that `network` lacks; the head's are ignored. Raises MissingError otherwise.
    """
    if file.path.suffix.lower() == ".h5":
        tensors = _from_keras(backbone, network, file)
    else:
        tensors = _from_torch(backbone, network, file)
    backbone.load_state_dict(backbone.state_dict() | tensors)


def _from_keras(backbone: nn.Module, network: Part, file: WeightsFile) -> dict[str, Tensor]:
    entry = BACKBONES.get(name_of(network) or "")
    if entry is None or entry.keras is None:
        raise MissingError(
            f"weights of Keras are not read for {network}",
            found=f"for {', '.join(name for name, b in BACKBONES.items() if b.keras)}",
            remedy=how_to_get(network),
        )
    return _keras.read(file.path, backbone, entry, network.name)


def _from_torch(backbone: nn.Module, network: Part, file: WeightsFile) -> dict[str, Tensor]:
    expected = _shapes(backbone, scale=file.own)
    try:
        with weight_files.opened(file.path) as contents:
            names = _our_names(contents.entries, network, file)
            actual = {ours: contents.entries[n].shape for ours, n in names.items()}
            _compare(expected, actual, network, file)
            values = contents.tensors(names[ours] for ours in expected)
            eps = contents.metadata.get("bn_eps")
    except DataError as error:
        raise unreadable(file.path, str(error.found or error.message)) from None
    tensors = {ours: values[names[ours]] for ours in expected}
    if eps is not None:
        _adopt_eps(backbone, tensors, _number(eps, file))
    return tensors


def _number(text: str, file: WeightsFile) -> float:
    try:
        return float(text)
    except ValueError:
        raise unreadable(file.path, f"its bn_eps is {text[:80]!r}, no number") from None


def _our_names(file_names: Iterable[str], network: Part, file: WeightsFile) -> dict[str, str]:
    """Return our name -> name in the file, for published files, timm, and runs."""
    metadata = own_metadata(file.path)
    if metadata is None:
        if (name_of(network) or "").startswith(TIMM):
            return {f"network.{name}": name for name in file_names}
        return our_names(file_names, network.name)
    need_same_network(metadata, network, file.path)
    prefix = "backbone." if metadata.get("strategy", "scratch") != "scratch" else ""
    return {n.removeprefix(prefix): n for n in file_names if n.startswith(prefix)}


def _shapes(network: nn.Module, *, scale: bool) -> dict[str, tuple[int, ...]]:
    return {
        name: tuple(tensor.shape)
        for name, tensor in network.state_dict().items()
        if not name.endswith("num_batches_tracked") and (scale or not name.startswith("scale."))
    }


def _compare(
    expected: Mapping[str, tuple[int, ...]],
    actual: Mapping[str, tuple[int, ...]],
    network: Part,
    file: WeightsFile,
) -> None:
    """Raise MissingError where a tensor is missing, has another shape, or is unknown."""
    wrong = [name for name, shape in expected.items() if actual.get(name) != shape]
    size = run_size(file.path) if file.own else 0
    names = _names(network, size or _SIZE)
    wrong += [name for name in actual if name not in names]
    if wrong:
        name = wrong[0]
        raise MissingError(
            f"the weights in {str(file.path)!r} are not those of {name_of(network) or network} "
            f"({len(wrong)} tensors differ)",
            found=f"{name}: {actual.get(name, 'none')} there, {expected.get(name, 'none')} here",
            remedy=f"--set strategy.input_size={size}, as in the run"
            if size
            else how_to_get(network),
        )


def _names(network: Part, size: int) -> set[str]:
    """Return the names of a network's tensors, including its head; size: of images in pixels."""
    if (name_of(network) or "").startswith(TIMM):
        names = tensor_names(str(network.options["name"]))
        return {"scale.mean", "scale.std", *(f"network.{name}" for name in names)}
    return set(models.outline(network, classes=2, size=size).state_dict())


def _adopt_eps(network: nn.Module, tensors: dict[str, Tensor], eps: float) -> None:
    """Add the difference between the file's and the network's epsilon to the variances."""
    for name, module in network.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            variance = tensors[f"{name}.running_var"].double() + (eps - module.eps)
            tensors[f"{name}.running_var"] = variance.float()
