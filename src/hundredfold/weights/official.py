"""Published weights of backbones: in an installed package, in the cache, or downloaded."""

from importlib.util import find_spec
from pathlib import Path

from hundredfold import data
from hundredfold.backbones import BACKBONES, DEFAULT, TIMM, Backbone, name_of, network_of
from hundredfold.data import Source
from hundredfold.errors import DataError, MissingError, UsageError, did_you_mean, pip_install
from hundredfold.spec import Part


def official(name: str, source: Source, site: str = "") -> Path:
    """Return the file of a backbone's published weights; download it where it is missing.

    site: address of a folder that has the file, instead of torchvision's.

    Raises MissingError where it cannot be had, and for another file in an installed package.
    """
    backbone = BACKBONES[name]
    if backbone.package:
        return _installed(name, backbone, source)
    cached = source.cache / "weights" / backbone.file
    if not cached.is_file():
        _download(name, backbone, cached, source, site)
    return cached


def fetch(name: str, source: Source, site: str = "") -> Path:
    """Return the file of a backbone's published weights with its checksum verified.

    A damaged file in the cache is downloaded anew. site: see `official`. Raises UsageError for
    anything but a backbone with published weights; else as `official`.
    """
    if name not in BACKBONES:
        remedy = _how_to_get(name) if name.startswith(TIMM) else did_you_mean(name, BACKBONES)
        raise UsageError(f"{name!r} is no backbone whose weights can be fetched", remedy=remedy)
    file = official(name, source, site)
    if BACKBONES[name].package or _is_official(name, file, source):
        return file
    if source.offline:
        raise MissingError(
            f"{str(file)!r} is damaged, and the network is forbidden (HUNDREDFOLD_OFFLINE)",
            remedy=_how_to_get(name),
        )
    file.unlink()  # it lies in the cache, which belongs to this program
    return official(name, source, site)


def how_to_get(network: Part) -> str:
    """Return a remedy: where to get weights of a network."""
    name = name_of(network)
    if name is None:
        return f"--weights runs/NAME, a run of that network, or --model {DEFAULT}"
    return _how_to_get(name)


def _how_to_get(name: str) -> str:
    if network_of(name) and name.startswith(TIMM):
        return f"--weights PATH with model.safetensors of https://huggingface.co/{name}"
    backbone = BACKBONES[name]
    if backbone.package:
        return pip_install(backbone.package)
    keras = ", or a .h5 of keras.applications" if backbone.keras else ""
    return f"--weights PATH with {backbone.url}{keras}"


def _installed(name: str, backbone: Backbone, source: Source) -> Path:
    """Return the file in a backbone's package, without importing any of the package's code."""
    remedy = pip_install(backbone.package)
    spec = find_spec(backbone.package.replace("-", "_"))
    folders = spec.submodule_search_locations if spec else None
    if not folders:
        raise MissingError(
            f"the weights of {name} come with {backbone.package}, which is not installed",
            remedy=remedy,
        )
    file = Path(folders[0]) / "models" / backbone.file
    remedy += " --force-reinstall"
    if not file.is_file():
        raise MissingError(f"{backbone.package} is installed without {str(file)!r}", remedy=remedy)
    if not _is_official(name, file, source):
        raise MissingError(
            f"{str(file)!r} is not the published file",
            found=f"its sha256 does not begin with {backbone.sha256}",
            remedy=remedy,
        )
    return file


def _is_official(name: str, file: Path, source: Source) -> bool:
    return data.fingerprint(source.cache, file).startswith(BACKBONES[name].sha256)


def _download(name: str, backbone: Backbone, cached: Path, source: Source, site: str) -> None:
    if source.offline:
        raise MissingError(
            f"the weights of {name} are not in {str(cached.parent)!r}, and the network is "
            "forbidden (HUNDREDFOLD_OFFLINE)",
            remedy=_how_to_get(name),
        )
    url = f"{site.rstrip('/')}/{backbone.file}" if site else backbone.url
    try:
        data.download(url, cached, backbone.sha256)
    except DataError as error:
        raise MissingError(
            f"the weights of {name} cannot be had: {error.message}",
            found=error.found,
            remedy=_how_to_get(name),
        ) from None
