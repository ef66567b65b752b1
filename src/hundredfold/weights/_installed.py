"""Find published weights in an installed package, without importing any of its code."""

from importlib.util import find_spec
from pathlib import Path

from hundredfold import data
from hundredfold.backbones import Backbone
from hundredfold.data import Source
from hundredfold.errors import MissingError, pip_install


def installed(name: str, backbone: Backbone, source: Source) -> Path:
    """Return the file of a backbone's weights in its package.

    Raises MissingError where the package or its file is not there, or the file is another one.
    """
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
    digest = data.fingerprint(source.cache, file)
    if not digest.startswith(backbone.sha256):
        raise MissingError(
            f"{str(file)!r} is not the published file",
            found=f"sha256 {digest[:16]}..., not {backbone.sha256}...",
            remedy=remedy,
        )
    return file
