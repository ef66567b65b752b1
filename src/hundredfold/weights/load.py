"""Put a file's weights into the backbone of a `transfer`: all of them, or none."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from torch import Tensor, nn

from hundredfold import models, weights
from hundredfold.backbones import CARDS, TIMM, Card, network_of
from hundredfold.errors import DataError, MissingError
from hundredfold.models import _timm
from hundredfold.models.transfer import Transfer
from hundredfold.spec import Call
from hundredfold.weights import _keras
from hundredfold.weights.locate import backbone_of, how_to_get, own_model, spelled_out, unreadable

_OLD_DENSENET = re.compile(r"(.*denselayer\d+\.(?:norm|conv))\.([12]\..*)")


def fill(model: Transfer, call: Call, file: Path) -> None:
    """Read the weights that `call`, a `transfer`, begins with.

    Names and shapes are compared first: every tensor of the backbone has to be there, and
    none that its network does not have; heads are left. Raises MissingError otherwise.
    """
    backbone = str(call.options["backbone"])
    network, card = network_of(backbone)
    if call.options["form"] == "keras" and file.suffix.lower() == ".h5":
        found = _from_keras(model, file, network, card, backbone)
    else:
        found = _from_torch(model, file, network, backbone)
    state = model.backbone.state_dict()
    model.backbone.load_state_dict(state | found)


def _from_keras(
    model: Transfer, file: Path, network: Call, card: Card | None, backbone: str
) -> dict[str, Tensor]:
    if card is None or card.keras is None:
        raise MissingError(
            f"weights of Keras are not read for {backbone}",
            found=f"for {', '.join(name for name, c in CARDS.items() if c.keras)}",
            remedy=how_to_get(backbone),
        )
    return _keras.read(file, model.backbone, card, network.name)


def _from_torch(model: Transfer, file: Path, network: Call, backbone: str) -> dict[str, Tensor]:
    own = own_model(file) is not None
    wanted = _shapes(model.backbone, scale=own)
    try:
        with weights.opened(file) as contents:
            names = _our_names(contents.entries, file, backbone)
            given = {ours: contents.entries[n].shape for ours, n in names.items()}
            _compare(wanted, given, network, file, backbone)
            read = contents.tensors(names[ours] for ours in wanted)
            eps = contents.metadata.get("bn_eps")
    except DataError as error:
        raise unreadable(file, str(error.found or error.message)) from None
    found = {ours: read[names[ours]] for ours in wanted}
    if eps is not None:
        _adopt_eps(model.backbone, found, _number(eps, file))
    return found


def _number(text: str, file: Path) -> float:
    try:
        return float(text)
    except ValueError:
        raise unreadable(file, f"its bn_eps is {text[:80]!r}, no number") from None


def _our_names(held: Iterable[str], file: Path, backbone: str) -> dict[str, str]:
    """Return our name -> the file's: torchvision's old DenseNets, and our own transfers."""
    made = own_model(file)
    if made is not None and backbone_of(made) != spelled_out(backbone):
        raise MissingError(
            f"{str(file)!r} holds a {backbone_of(made)}, not a {backbone}",
            remedy=f"--set \"model.backbone='{backbone_of(made)}'\"",
        )
    if made is None and backbone.startswith(TIMM):
        return {f"network.{name}": name for name in held}
    prefix = "backbone." if made is not None and made.name == "transfer" else ""
    within = {n.removeprefix(prefix): n for n in held if n.startswith(prefix)}
    return {_OLD_DENSENET.sub(r"\1\2", ours): name for ours, name in within.items()}


def _shapes(network: nn.Module, *, scale: bool) -> dict[str, tuple[int, ...]]:
    return {
        name: tuple(tensor.shape)
        for name, tensor in network.state_dict().items()
        if not name.endswith("num_batches_tracked") and (scale or not name.startswith("scale."))
    }


def _compare(
    wanted: Mapping[str, tuple[int, ...]],
    given: Mapping[str, tuple[int, ...]],
    network: Call,
    file: Path,
    backbone: str,
) -> None:
    """Raise MissingError where a tensor is missing, of another shape, or not the network's."""
    wrong = [name for name, shape in wanted.items() if given.get(name) != shape]
    known = _names(network)
    wrong += [name for name in given if name not in known]
    if wrong:
        name = wrong[0]
        raise MissingError(
            f"the weights in {str(file)!r} are not those of {backbone} "
            f"({len(wrong)} tensors differ)",
            found=f"{name}: {given.get(name, 'none')} there, {wanted.get(name, 'none')} here",
            remedy=how_to_get(backbone),
        )


def _names(network: Call) -> set[str]:
    """Return the names of a backbone's tensors and of the head that it was published with."""
    if network.name == "timm":
        names = _timm.names(str(network.options["name"]))
        return {"scale.mean", "scale.std", *(f"network.{name}" for name in names)}
    return set(models.outline(network, classes=2, size=224).state_dict())


def _adopt_eps(network: nn.Module, found: dict[str, Tensor], eps: float) -> None:
    """Add the difference of a file's epsilon to the variances."""
    for name, module in network.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            variance = found[f"{name}.running_var"].double() + (eps - module.eps)
            found[f"{name}.running_var"] = variance.float()
