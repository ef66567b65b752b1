"""Export a run as a file that others can use; one target a file.

A target is a module with a function of its own name, which takes a `Trained` and returns an
`Exported`: content and check. FILE is the name of its file in the run's folder `export`.
A file is written only after its own runtime has agreed with the network on images of the run.
"""

import hashlib
import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hundredfold import files, spec
from hundredfold.errors import UsageError, did_you_mean
from hundredfold.exporters._card import card
from hundredfold.exporters._trained import Bounds, Exported, Trained
from hundredfold.run import Run

__all__ = ["Bounds", "Exported", "Trained", "destination", "targets", "write"]

_FOLDER = "export"


def targets() -> tuple[str, ...]:
    """Return the names of the targets, such as "onnx-int8", without importing them."""
    return tuple(name.replace("_", "-") for name in spec.names(__name__))


def destination(run: Run, to: str, file: Path | None = None, *, force: bool = False) -> Path:
    """Return where an export is written, absolute.

    file: a path; None takes the target's name in the run's folder `export`. force: whether a file
    that exists may be replaced. Raises UsageError for an unknown target and for such a file.
    """
    if to not in targets():
        raise UsageError(f"there is no target {to!r}", remedy=did_you_mean(to, targets()))
    default = spec.constants(to.replace("-", "_"), __name__)["FILE"]
    path = (file or run.folder / _FOLDER / default).absolute()
    if path.is_dir():
        raise UsageError(f"{str(path)!r} is a folder", remedy=f"--file {path / default}")
    if path.exists() and not force:
        raise UsageError(f"{str(path)!r} exists", remedy="--force to replace it, or --file OTHER")
    return path


def write(trained: Trained, to: str, path: Path) -> dict[str, Any]:
    """Export to a path with its check and its model card beside it; return the check.

    The card of an earlier export to another target stays, for it may have been filled in.

    Raises CheckError where the file and the network disagree; then nothing is written.
    """
    module = importlib.import_module(f"{__name__}.{to.replace('-', '_')}")
    build: Callable[[Trained], Exported] = getattr(module, to.replace("-", "_"))
    exported = build(trained)
    check = {
        "target": to,
        "bytes": len(exported.content),
        "sha256": hashlib.sha256(exported.content).hexdigest(),
        **exported.check,
    }
    readme = path.with_name(f"{path.stem}.README.md")
    replaced = path.exists() or not readme.exists()
    _save(path, exported.content, exported.beside)
    files.write_json(path.with_name(f"{path.name}.check.json"), check)
    if replaced:
        files.write_text(readme, card(trained, path.name, to, check))
    return check


def _save(path: Path, content: bytes, beside: Mapping[str, bytes]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for ending, other in beside.items():
            files.write(path.with_suffix(ending), other)
        files.write(path, content)
    except OSError as error:
        raise UsageError(f"cannot write {str(path)!r}", found=error.strerror) from None
