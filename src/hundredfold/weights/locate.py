"""Find the file of a backbone's weights, and write what identifies it into the recipe."""

import json
import os
from pathlib import Path

from hundredfold import data, spec
from hundredfold.backbones import CARDS, TIMM, Card, network_of
from hundredfold.data import Source
from hundredfold.errors import DataError, MissingError, UsageError
from hundredfold.recipe import Recipe
from hundredfold.spec import Call

SUFFIXES = (".pth", ".pt", ".bin", ".ckpt", ".safetensors", ".h5")
_DIGITS = 16


def settle(what: Recipe, given: Path | None, source: Source) -> Recipe:
    """Return the recipe with its weights' digest and form, so that they belong to its identity.

    given: a file, or a folder with files of several backbones; None looks in
    HUNDREDFOLD_WEIGHTS, in the cache, and on the network, in this order. A recipe without
    a `transfer` stays as it is.

    Raises UsageError for weights that nothing would use, and MissingError where there are
    none, or others than the recipe says.
    """
    model = spec.parse(what.model)
    if model.name != "transfer":
        if given is None:
            return what
        raise UsageError(
            f"{what.model} draws its weights and takes none",
            remedy=f"--model \"transfer(backbone='densenet169')\", or backbone={what.model!r}",
        )
    file = locate(str(model.options["backbone"]), given, source)
    digest = data.fingerprint(source.cache, file)[:_DIGITS]
    known = model.options["weights"]
    if known and known != digest:
        raise MissingError(
            f"the weights in {str(file)!r} are not those of the recipe",
            found=f"sha256 {digest}..., not {known}...",
            remedy="--weights with the former file, or --set model.weights='' for a new run",
        )
    backbone = spelled_out(str(model.options["backbone"]))
    known_by = {"backbone": backbone, "weights": digest, "form": _form(file)}
    return what.override({}, [f"model.{key}={value!r}" for key, value in known_by.items()])


def locate(backbone: str, given: Path | None, source: Source) -> Path:
    """Return the file of a backbone's weights, downloading it where it is nowhere.

    Raises MissingError, with how to get them.
    """
    card = CARDS.get(backbone)
    place = given or _environment()
    if place is not None:
        return _within(place.expanduser(), backbone)
    if card is None:
        raise MissingError(
            f"{backbone} has no weights of its own to begin with",
            remedy=how_to_get(backbone),
        )
    kept = source.cache / "weights" / card.file
    if not kept.is_file():
        _fetch(backbone, card, kept, source)
    return kept


def _environment() -> Path | None:
    named = os.environ.get("HUNDREDFOLD_WEIGHTS")
    return Path(named) if named else None


def _within(place: Path, backbone: str) -> Path:
    if place.is_file() and place.suffix.lower() in SUFFIXES:
        return place
    if place.is_file():
        raise MissingError(
            f"{str(place)!r} is no file of weights", found=f"{', '.join(SUFFIXES)} are read"
        )
    if not place.is_dir():
        raise MissingError(f"there are no weights at {str(place)!r}", remedy=how_to_get(backbone))
    name = backbone.removeprefix(TIMM)
    found = [file for file in sorted(place.iterdir()) if _named(file, name)]
    if len(found) == 1:
        return found[0]
    names = ", ".join(file.name for file in found)
    raise MissingError(
        f"{str(place)!r} holds {len(found)} files of weights for {backbone}",
        found=names or f"no file that begins with {name}",
        remedy="--weights with the file itself" if found else how_to_get(backbone),
    )


def _named(file: Path, backbone: str) -> bool:
    rest = file.name.removeprefix(backbone)
    return (
        file.suffix.lower() in SUFFIXES
        and rest != file.name
        and rest[0] in "-_."
        and rest[:3] != "_bn"
    )


def _fetch(backbone: str, card: Card, kept: Path, source: Source) -> None:
    if source.offline:
        raise MissingError(
            f"the weights of {backbone} are not in {str(kept.parent)!r}, and the network is "
            "forbidden (HUNDREDFOLD_OFFLINE)",
            remedy=how_to_get(backbone),
        )
    try:
        data.download(card.url, kept, card.sha256)
    except DataError as error:
        raise MissingError(
            f"the weights of {backbone} cannot be had: {error.message}",
            found=error.found,
            remedy=how_to_get(backbone),
        ) from None


def how_to_get(backbone: str) -> str:
    """Say where weights of a backbone come from."""
    if backbone.startswith(TIMM):
        return f"--weights PATH with model.safetensors of https://huggingface.co/{backbone}"
    card = CARDS.get(backbone)
    if card is None:
        return "--pretrained runs/NAME, a run of that network"
    keras = ", or a .h5 of keras.applications" if card.keras else ""
    return f"--weights PATH with {card.url}{keras}"


def unreadable(file: Path, why: str) -> MissingError:
    """Return the error for a file that holds no weights that we read."""
    return MissingError(
        f"cannot read weights from {str(file)!r}",
        found=why,
        remedy="a .pth of torchvision, a .safetensors, or a .h5 of keras.applications",
    )


def _form(file: Path) -> str:
    if file.suffix.lower() == ".h5":
        return "keras"
    former = own_model(file)
    return str(former.options["form"]) if former and former.name == "transfer" else "torchvision"


def own_model(file: Path) -> Call | None:
    """Return the model of a run's weights file, None for any other file. Reads its head only."""
    if file.suffix.lower() != ".safetensors":
        return None
    try:
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            head = json.loads(stream.read(min(length, 2**26)))
        told = head.get("__metadata__", {})
        return spec.parse(told["model"]) if "recipe_digest" in told else None
    except (OSError, ValueError, KeyError, AttributeError, UsageError):
        return None


def spelled_out(backbone: str) -> str:
    """Return a network of ours with every default, a card's name as it is."""
    network, card = network_of(backbone)
    named = card is not None or network.name == "timm"
    return backbone if named else str(spec.complete(network, "hundredfold.models"))


def backbone_of(made: Call) -> str:
    """Return what a run's model is as a backbone: itself, or the one that it has."""
    return str(made.options["backbone"]) if made.name == "transfer" else str(made)
