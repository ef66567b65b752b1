"""Load a file of weights into a network without its head: all tensors, or none."""

from collections.abc import Iterable, Mapping

from torch import Tensor, nn

from hundredfold import models
from hundredfold.backbones import BACKBONES, TIMM, name_of
from hundredfold.errors import DataError, MissingError
from hundredfold.models.timm import tensor_names
from hundredfold.size import NO_SIZE, Size
from hundredfold.spec import Part
from hundredfold.weights import _keras
from hundredfold.weights import files as weight_files
from hundredfold.weights._header import shown
from hundredfold.weights._names import Names, our_names, without_prefix
from hundredfold.weights.files import Entry
from hundredfold.weights.locate import (
    WeightsFile,
    need_same_network,
    own_metadata,
    run_size,
    unreadable,
)
from hundredfold.weights.official import how_to_get

_SIZE = 224  # pixels of the images that published weights were trained on


def load_weights(backbone: nn.Module, network: Part, file: WeightsFile) -> list[str]:
    """Load weights into a backbone, which is `network` without its head; return what to report.

    Names and shapes are compared first. The file must have every tensor of the backbone, and none
    that `network` lacks; the head's are ignored. What training puts before all fitting names, such
    as "module.", is taken off, and averaged weights are preferred; both are reported.
    Raises MissingError for other weights.
    """
    notes: list[str] = []
    if file.path.suffix.lower() == ".h5":
        tensors = _from_keras(backbone, network, file)
    else:
        tensors = _from_torch(backbone, network, file, notes)
    _need_variances(backbone, tensors, file)
    backbone.load_state_dict(backbone.state_dict() | tensors)
    return notes


def _from_keras(backbone: nn.Module, network: Part, file: WeightsFile) -> dict[str, Tensor]:
    entry = BACKBONES.get(name_of(network) or "")
    if entry is None or entry.keras is None:
        raise MissingError(
            f"weights of Keras are not read for {network}",
            found=f"for {', '.join(name for name, b in BACKBONES.items() if b.keras)}",
            remedy=how_to_get(network),
        )
    return _keras.read(file.path, backbone, entry, network.name)


def _from_torch(
    backbone: nn.Module, network: Part, file: WeightsFile, notes: list[str]
) -> dict[str, Tensor]:
    expected = _shapes(backbone, scale=file.own)
    try:
        with weight_files.opened(file.path) as contents:
            found = _our_names(contents.entries, expected, network, file)
            names = found.by_ours
            entries = {ours: contents.entries[name] for ours, name in names.items()}
            _compare(expected, entries, network, file)
            _need_fractions(backbone, expected, entries, file)
            values = contents.tensors(names[ours] for ours in expected)
            eps = contents.metadata.get("bn_eps")
            notes += filter(None, (contents.note, found.note))
    except DataError as error:
        raise unreadable(file.path, str(error.found or error.message)) from None
    tensors = {ours: values[names[ours]] for ours in expected}
    if eps is not None:
        _adopt_eps(backbone, tensors, _epsilon(eps, file))
    return tensors


def _epsilon(text: str, file: WeightsFile) -> float:
    try:
        if 0 <= (eps := float(text)) < 1:
            return eps
    except ValueError:
        pass
    raise unreadable(file.path, f"its bn_eps is {text[:80]!r}, no number in [0, 1)")


def _our_names(
    file_names: Iterable[str], expected: Iterable[str], network: Part, file: WeightsFile
) -> Names:
    """Return our name -> name in the file, for published files, timm, and runs."""
    metadata = own_metadata(file.path)
    if metadata is None:
        return without_prefix(file_names, set(expected), lambda names: _translated(names, network))
    need_same_network(metadata, network, file.path)
    prefix = "backbone." if metadata.get("strategy", "scratch") != "scratch" else ""
    return Names({n.removeprefix(prefix): n for n in file_names if n.startswith(prefix)})


def _translated(names: Iterable[str], network: Part) -> dict[str, str]:
    if (name_of(network) or "").startswith(TIMM):
        return {f"network.{name}": name for name in names}
    return our_names(names, network.name)


def _shapes(network: nn.Module, *, scale: bool) -> dict[str, tuple[int, ...]]:
    return {
        name: tuple(tensor.shape)
        for name, tensor in network.state_dict().items()
        if not name.endswith("num_batches_tracked") and (scale or not name.startswith("scale."))
    }


def _compare(
    expected: Mapping[str, tuple[int, ...]],
    entries: Mapping[str, Entry],
    network: Part,
    file: WeightsFile,
) -> None:
    """Raise MissingError where a tensor is missing, has another shape, or is unknown."""
    actual = {name: tuple(entry.shape) for name, entry in entries.items()}
    wrong = [name for name, shape in expected.items() if actual.get(name) != shape]
    size = run_size(file.path) if file.own else NO_SIZE
    names = _names(network, size or Size.of(_SIZE))
    wrong += [name for name in actual if name not in names]
    if wrong:
        name = wrong[0]
        known = name if name in expected else shown(name)
        raise MissingError(
            f"the weights in {str(file.path)!r} are not those of {name_of(network) or network} "
            f"({len(wrong)} tensors differ)",
            found=f"{known}: {actual.get(name, 'none')} there, {expected.get(name, 'none')} here",
            remedy=f"--set strategy.input_size={size}, as in the run"
            if size
            else how_to_get(network),
        )


def _need_fractions(
    backbone: nn.Module, expected: Iterable[str], entries: Mapping[str, Entry], file: WeightsFile
) -> None:
    """Raise MissingError where integers stand for weights."""
    ours = backbone.state_dict()
    for name in expected:
        dtype = entries[name].dtype
        if ours[name].is_floating_point() and not dtype.is_floating_point:
            raise unreadable(file.path, f"{name} holds {dtype}, no fractions")


def _names(network: Part, size: Size) -> set[str]:
    """Return the names of a network's tensors, including its head; size: of the images."""
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


def _need_variances(network: nn.Module, tensors: Mapping[str, Tensor], file: WeightsFile) -> None:
    """Raise MissingError where a BatchNorm would take the root of a negative number.

    Variances between -eps and 0 are accepted: a run's include the epsilon of its first weights.
    """
    for name, module in network.named_modules():
        variance = tensors.get(f"{name}.running_var")
        if variance is None or not isinstance(module, nn.modules.batchnorm._BatchNorm):
            continue
        least = float(variance.min()) if variance.numel() else 0.0
        if least + module.eps <= 0:
            raise unreadable(
                file.path, f"{name}.running_var holds a negative variance, {least:.3g}"
            )
