"""Find the file of pretrained weights of a recipe and pin it by digest; imports no torch."""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hundredfold import data, run
from hundredfold.backbones import BACKBONES, DEFAULT, MODELS, TIMM, Layout, name_of
from hundredfold.data import Source
from hundredfold.errors import MissingError, UsageError, shortened
from hundredfold.paths import expanded
from hundredfold.recipe import Recipe
from hundredfold.size import NO_SIZE, Size
from hundredfold.spec import Part, parse, part
from hundredfold.weights import _header
from hundredfold.weights._header import shown
from hundredfold.weights.official import how_to_get, official

SUFFIXES = (".pth", ".pt", ".bin", ".ckpt", ".safetensors", ".h5")
OFFICIAL = "imagenet"  # value of the field `weights` for the published weights of a backbone
_DIGITS = 16  # hex digits of a pinned digest
_LARGEST = 1024  # pixels of the images of a run at most


@dataclass(frozen=True)
class WeightsFile:
    """A file of weights.

    digest: the first 16 hex digits of its SHA-256. layout: whose names and scaling it
    follows. own: whether it belongs to a run.
    """

    path: Path
    digest: str
    layout: Layout
    own: bool = False

    def to_json(self) -> dict[str, str]:
        """Return the facts for run.json."""
        return {"file": str(self.path.absolute()), "sha256": self.digest, "layout": self.layout}


def resolve_weights(
    recipe: Recipe, source: Source, source_path: Path | None = None
) -> tuple[Recipe, WeightsFile | None]:
    """Return the recipe with its weights pinned by digest, and their file; None without weights.

    The field `weights` is "imagenet", a run, a file or folder, or a pinned NAME@DIGEST. A file or
    a run becomes NAME@DIGEST, so that it belongs to the recipe's identity.
    source_path: a file, or a folder with files of several backbones, for "imagenet" and pinned
    weights. None searches HUNDREDFOLD_WEIGHTS, where it has weights of this backbone, then the
    installation, the cache and the network.

    Raises MissingError where there are none, or with another digest than the recipe's.
    """
    if not recipe.weights:
        return recipe, None
    _need_short(recipe.weights)
    name, _, pinned = recipe.weights.rpartition("@")
    if recipe.weights == OFFICIAL or (name and len(pinned) == _DIGITS):
        path = locate(recipe.model, source_path, source)
        file = _file(path, source)
        if recipe.weights != OFFICIAL and file.digest != pinned:
            raise MissingError(
                f"the weights in {str(path)!r} are not those of the recipe",
                found=f"sha256 {file.digest}..., not {pinned}...",
                remedy="--weights with the former file, or another --weights for a new run",
            )
        return recipe, file
    recipe_path = expanded(recipe.weights)
    source_run = _run_at(recipe_path)
    path = source_run.weights_to_use()[0] if source_run else _within(recipe_path, recipe.model)
    file = _file(path, source)
    label = (source_run.name if source_run else path.name).replace("@", "-")
    return recipe.override({"weights": f"{label}@{file.digest}"}), file


def locate(network: Part, path: Path | None, source: Source) -> Path:
    """Return the file of a backbone's weights; download it where it is missing.

    Files that come with a package are not downloaded. path: see `resolve_weights`. Raises
    MissingError with a remedy.
    """
    name = name_of(network)
    path = path or _environment(network)
    if path is not None:
        return _within(expanded(path), network)
    if name not in BACKBONES:
        raise MissingError(
            f"{network} has no weights of its own to begin with", remedy=how_to_get(network)
        )
    return official(name, source)


def network_of_run(text: str, out: Path) -> Part | None:
    """Return the network of a run, by name, folder or file of weights; None for anything else.

    out: the folder of runs. Raises MissingError where a file names no network of this package.
    """
    path = expanded(text)
    source_run = _run_at(path) or _run_at(out / text)
    if source_run:
        return source_run.recipe.model
    metadata = own_metadata(path) if path.is_file() else None
    return _network_in(metadata["model"], path) if metadata and metadata.get("model") else None


def _network_in(text: str, file: Path) -> Part:
    """Return the network that the metadata of a file name, which may be a stranger's."""
    try:
        call = parse(text)
        if not call.file:
            return part(text, MODELS)
    except UsageError as error:
        raise unreadable(file, f"the network of its metadata: {error.message}") from None
    raise MissingError(
        f"{str(file)!r} holds weights of {shown(call.name)} in {shown(call.file)}, which is code",
        found="code that a file names does not run by itself",
        remedy=f"read it, then name it: --model {shown(call.file)}:{shown(call.name)}",
    )


def backbone_of(text: str) -> str | None:
    """Return the backbone that the field `weights` names; None where it is unknown.

    That is the default one for "imagenet", else the one that the name of a file begins with.
    """
    if text == OFFICIAL:
        return DEFAULT
    path = expanded(text)
    named = [name for name in BACKBONES if _is_named(path, name)] if path.is_file() else []
    return max(named, key=len, default=None)


def spelled_out(text: str, out: Path) -> str:
    """Return the field `weights`, with the name of a run in `out` replaced by its path."""
    _need_short(text)
    is_resolved = text in ("", "none", OFFICIAL) or expanded(text).exists()
    return text if is_resolved or not _run_at(out / text) else str(out / text)


def _need_short(text: str) -> None:
    """Raise MissingError for a path that no disk can hold: names of 255 bytes, 4,096 in all."""
    if len(text) > 4096 or any(len(os.fsencode(name)) > 255 for name in Path(text).parts):
        raise MissingError(
            f"there are no weights at {shortened(text)}", found="its name is too long for a file"
        )


def unreadable(file: Path, why: str) -> MissingError:
    """Return the error for a file without readable weights; why: the reason."""
    return MissingError(
        f"cannot read weights from {str(file)!r}",
        found=why,
        remedy="a .pth of torchvision, a .safetensors, or a .h5 of keras.applications",
    )


def own_metadata(file: Path) -> dict[str, str] | None:
    """Return the metadata of a run's weights; None for any other file. It reads the header only."""
    if file.suffix.lower() != ".safetensors":
        return None
    try:
        with file.open("rb") as stream:
            metadata = _header.read(stream).metadata
    except (OSError, _header.Refused):
        return None
    return metadata if "recipe_digest" in metadata else None


def run_size(file: Path) -> Size:
    """Return the size of the images that a run's network computes on; 0 where it is unknown."""
    metadata = own_metadata(file) or {}
    sizes = (size_in(metadata, key) for key in ("input_size", "size"))
    return next((size for size in sizes if size.within(1, _LARGEST)), NO_SIZE)


def size_in(metadata: Mapping[str, object], key: str) -> Size:
    """Return the size that a file of weights names; 0 where there is none, or none to be read."""
    with suppress(UsageError):
        return Size.of(str(metadata.get(key, 0)))
    return NO_SIZE


def _file(path: Path, source: Source) -> WeightsFile:
    digest = data.fingerprint(source.cache, path)[:_DIGITS]
    metadata = own_metadata(path)
    keras = path.suffix.lower() == ".h5" or (metadata or {}).get("layout") == "keras"
    return WeightsFile(path, digest, "keras" if keras else "torchvision", metadata is not None)


def _run_at(folder: Path) -> run.Run | None:
    return run.Run(folder) if (folder / "recipe.toml").is_file() else None


def serves(path: Path, network: Part) -> bool:
    """Return whether a path may hold a network's weights, judged by the names of files.

    A folder must have a file that is named after the network. A file must be named after its
    backbone, or after none.
    """
    if path.is_dir():
        return bool(_named(path, network))
    return backbone_of(str(path)) in (None, name_of(network))


def _environment(network: Part) -> Path | None:
    """Return HUNDREDFOLD_WEIGHTS; None where it holds weights of other backbones only."""
    text = os.environ.get("HUNDREDFOLD_WEIGHTS")
    path = expanded(text) if text else None
    return path if path and serves(path, network) else None


def _within(path: Path, network: Part) -> Path:
    if path.is_file() and path.suffix.lower() in SUFFIXES:
        return path
    if path.is_file():
        raise MissingError(
            f"{str(path)!r} is no file of weights", found=f"{', '.join(SUFFIXES)} are read"
        )
    if not path.is_dir():
        raise MissingError(f"there are no weights at {str(path)!r}", remedy=how_to_get(network))
    files = _named(path, network)
    if len(files) == 1:
        return files[0]
    name = _file_name(network)
    raise MissingError(
        f"{str(path)!r} holds {len(files)} files of weights for {name}",
        found=", ".join(file.name for file in files) or f"no file that begins with {name}",
        remedy="--weights with the file itself" if files else how_to_get(network),
    )


def _file_name(network: Part) -> str:
    """Return what the names of a network's files begin with."""
    return (name_of(network) or network.name).removeprefix(TIMM)


def _named(folder: Path, network: Part) -> list[Path]:
    """Return a folder's files of a network; where it has none, those in its folders."""
    name = _file_name(network)
    files = [file for file in sorted(folder.iterdir()) if _is_named(file, name)]
    return files or [file for file in sorted(folder.glob("*/*")) if _is_named(file, name)]


def _is_named(file: Path, backbone: str) -> bool:
    """Return whether a file is a backbone's published one, or its name begins with its name."""
    published = BACKBONES.get(backbone)
    if published and file.name == published.file:
        return True
    rest = file.name.removeprefix(backbone)
    return (
        file.suffix.lower() in SUFFIXES
        and rest != file.name
        and rest[0] in "-_."
        and rest[:3] != "_bn"
    )


def need_same_network(metadata: Mapping[str, str], network: Part, file: Path) -> None:
    """Raise MissingError where a run's weights belong to another network."""
    other = metadata.get("model", "")
    if other != str(network):
        is_plain = other.isprintable() and len(other) <= 200
        raise MissingError(
            f"{str(file)!r} holds weights of {other if is_plain else shortened(other)}, "
            f"not of {network}",
            remedy=f'--model "{other}"' if other and is_plain else how_to_get(network),
        )
