"""Find the file of weights that a recipe begins with, and pin it by its digest; loads no torch."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hundredfold import data, run
from hundredfold.backbones import BACKBONES, TIMM, Backbone, Layout, name_of
from hundredfold.data import Source
from hundredfold.errors import DataError, MissingError
from hundredfold.recipe import Recipe
from hundredfold.spec import Part

SUFFIXES = (".pth", ".pt", ".bin", ".ckpt", ".safetensors", ".h5")
OFFICIAL = "imagenet"  # the field `weights` for those that a backbone was published with
_DIGITS = 16


@dataclass(frozen=True)
class WeightsFile:
    """A file of weights.

    digest: the first 16 hex digits of its SHA-256. layout: whose naming and scaling it follows.
    own: whether it is that of a run.
    """

    path: Path
    digest: str
    layout: Layout
    own: bool = False

    def to_json(self) -> dict[str, str]:
        """Return what run.json says of it."""
        return {"file": str(self.path.absolute()), "sha256": self.digest, "layout": self.layout}


def resolve_weights(
    recipe: Recipe, source: Source, place: Path | None = None
) -> tuple[Recipe, WeightsFile | None]:
    """Return the recipe with its weights pinned, and their file; None where it begins at random.

    The field `weights` is "imagenet", a run, a file or folder, or a pinned NAME@DIGEST. A file or
    a run becomes NAME@DIGEST, so that it belongs to the recipe's identity.
    place: a file, or a folder with files of several backbones, where "imagenet" and pinned weights
    lie; None looks in HUNDREDFOLD_WEIGHTS, in the cache, and on the network, in this order.

    Raises MissingError where there are none, or others than the recipe says.
    """
    if not recipe.weights:
        return recipe, None
    name, _, pinned = recipe.weights.rpartition("@")
    if recipe.weights == OFFICIAL or (name and len(pinned) == _DIGITS):
        path = locate(recipe.model, place, source)
        file = _file(path, source)
        if recipe.weights != OFFICIAL and file.digest != pinned:
            raise MissingError(
                f"the weights in {str(path)!r} are not those of the recipe",
                found=f"sha256 {file.digest}..., not {pinned}...",
                remedy="--weights with the former file, or another --weights for a new run",
            )
        return recipe, file
    given = Path(recipe.weights).expanduser()
    begun = _run_at(given)
    path = begun.weights_to_use()[0] if begun else _within(given, recipe.model)
    file = _file(path, source)
    label = (begun.name if begun else path.name).replace("@", "-")
    return recipe.override({"weights": f"{label}@{file.digest}"}), file


def locate(network: Part, place: Path | None, source: Source) -> Path:
    """Return the file of a backbone's weights, downloading it where it is nowhere.

    Raises MissingError, with how to get them.
    """
    name = name_of(network)
    backbone = BACKBONES.get(name or "")
    place = place or _environment()
    if place is not None:
        return _within(place.expanduser(), network)
    if name is None or backbone is None:
        raise MissingError(
            f"{network} has no weights of its own to begin with", remedy=how_to_get(network)
        )
    kept = source.cache / "weights" / backbone.file
    if not kept.is_file():
        _fetch(network, backbone, kept, source)
    return kept


def network_of_run(text: str, out: Path) -> Part | None:
    """Return the network of a run whose weights are asked for by name or folder; None for a file.

    out: the folder in which runs are.
    """
    begun = _run_at(Path(text).expanduser()) or _run_at(out / text)
    return begun.recipe.model if begun else None


def spelled_out(text: str, out: Path) -> str:
    """Return the field `weights` with the name of a run in `out` as its path."""
    known = text in ("", "none", OFFICIAL) or Path(text).expanduser().exists()
    return text if known or not _run_at(out / text) else str(out / text)


def how_to_get(network: Part) -> str:
    """Say where weights of a network come from."""
    name = name_of(network) or ""
    if name.startswith(TIMM):
        return f"--weights PATH with model.safetensors of https://huggingface.co/{name}"
    backbone = BACKBONES.get(name)
    if backbone is None:
        return "--weights runs/NAME, a run of that network"
    keras = ", or a .h5 of keras.applications" if backbone.keras else ""
    return f"--weights PATH with {backbone.url}{keras}"


def unreadable(file: Path, why: str) -> MissingError:
    """Return the error for a file that holds no weights that we read."""
    return MissingError(
        f"cannot read weights from {str(file)!r}",
        found=why,
        remedy="a .pth of torchvision, a .safetensors, or a .h5 of keras.applications",
    )


def own_metadata(file: Path) -> dict[str, Any] | None:
    """Return what a run wrote beside its weights, None for any other file. Reads its head only."""
    if file.suffix.lower() != ".safetensors":
        return None
    try:
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            head = json.loads(stream.read(min(length, 2**26)))
        metadata = dict(head.get("__metadata__", {}))
    except (OSError, ValueError, AttributeError, TypeError, RecursionError):
        return None
    return metadata if "recipe_digest" in metadata else None


def _file(path: Path, source: Source) -> WeightsFile:
    digest = data.fingerprint(source.cache, path)[:_DIGITS]
    metadata = own_metadata(path)
    keras = path.suffix.lower() == ".h5" or (metadata or {}).get("layout") == "keras"
    return WeightsFile(path, digest, "keras" if keras else "torchvision", metadata is not None)


def _run_at(folder: Path) -> run.Run | None:
    return run.Run(folder) if (folder / "recipe.toml").is_file() else None


def _environment() -> Path | None:
    named = os.environ.get("HUNDREDFOLD_WEIGHTS")
    return Path(named) if named else None


def _within(place: Path, network: Part) -> Path:
    if place.is_file() and place.suffix.lower() in SUFFIXES:
        return place
    if place.is_file():
        raise MissingError(
            f"{str(place)!r} is no file of weights", found=f"{', '.join(SUFFIXES)} are read"
        )
    if not place.is_dir():
        raise MissingError(f"there are no weights at {str(place)!r}", remedy=how_to_get(network))
    name = (name_of(network) or network.name).removeprefix(TIMM)
    files = [file for file in sorted(place.iterdir()) if _is_named(file, name)]
    if len(files) == 1:
        return files[0]
    raise MissingError(
        f"{str(place)!r} holds {len(files)} files of weights for {name}",
        found=", ".join(file.name for file in files) or f"no file that begins with {name}",
        remedy="--weights with the file itself" if files else how_to_get(network),
    )


def _is_named(file: Path, backbone: str) -> bool:
    rest = file.name.removeprefix(backbone)
    return (
        file.suffix.lower() in SUFFIXES
        and rest != file.name
        and rest[0] in "-_."
        and rest[:3] != "_bn"
    )


def _fetch(network: Part, backbone: Backbone, kept: Path, source: Source) -> None:
    name = name_of(network)
    if source.offline:
        raise MissingError(
            f"the weights of {name} are not in {str(kept.parent)!r}, and the network is "
            "forbidden (HUNDREDFOLD_OFFLINE)",
            remedy=how_to_get(network),
        )
    try:
        data.download(backbone.url, kept, backbone.sha256)
    except DataError as error:
        raise MissingError(
            f"the weights of {name} cannot be had: {error.message}",
            found=error.found,
            remedy=how_to_get(network),
        ) from None


def need_same_network(metadata: dict[str, Any], network: Part, file: Path) -> None:
    """Raise MissingError where a run's weights are those of another network."""
    made = str(metadata.get("model", ""))
    if made != str(network):
        raise MissingError(
            f"{str(file)!r} holds weights of {made}, not of {network}",
            remedy=f'--model "{made}"',
        )
