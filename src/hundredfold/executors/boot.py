"""What Ray starts on a node, by value: it makes the package importable there, then calls it.

Only the standard library may be imported here, since a node need not have Hundredfold. The
package travels as an archive, so that every node runs the driver's own version.
"""

from typing import Any


def call(function: str, package: tuple[str, list[Any]], *arguments: Any) -> Any:
    """Call a function of `hundredfold.executors.on_node` on the node, with the shipped package.

    package: the SHA-256 of the archive, and object references of its pieces.
    """
    import importlib
    import sys

    folder = _package(*package)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    module = importlib.import_module("hundredfold.executors.on_node")
    return getattr(module, function)(folder, *arguments)


def _package(digest: str, pieces: list[Any]) -> str:
    """Return the folder of the unpacked package, made once per node and user."""
    import io
    import os
    import shutil
    import tarfile
    import tempfile
    from pathlib import Path

    import ray

    home = Path(tempfile.gettempdir(), f"hundredfold-{os.getuid()}")
    home.mkdir(mode=0o700, exist_ok=True)
    if home.is_symlink() or home.stat().st_uid != os.getuid():
        raise PermissionError(f"{home} belongs to another user")
    folder = home / f"package-{digest[:32]}"
    if not (folder / "whole").exists():
        part = Path(tempfile.mkdtemp(dir=home))
        content = io.BytesIO(b"".join(ray.get(pieces)))
        with tarfile.open(fileobj=content) as archive:
            archive.extractall(part, filter="data")
        (part / "whole").touch()
        try:
            part.rename(folder)
        except OSError:  # another process was faster
            shutil.rmtree(part, ignore_errors=True)
    return str(folder)


class Board:
    """Where running jobs report their progress, and learn that they must stop. An actor."""

    def __init__(self) -> None:
        self._news: dict[int, tuple[str, list[dict[str, float]]]] = {}
        self._stopped: set[int] = set()
        self._all = False

    def report(self, number: int, node: str, rows: list[dict[str, float]]) -> bool:
        """Note new lines of a job's curve; return whether it shall stop."""
        before = self._news[number][1] if number in self._news else []
        self._news[number] = (node, [*before, *rows])
        return self._all or number in self._stopped

    def news(self) -> dict[int, tuple[str, list[dict[str, float]]]]:
        """Return what was reported since the last call."""
        news, self._news = self._news, {}
        return news

    def stop(self, numbers: list[int]) -> None:
        """Let jobs stop at their next report."""
        self._stopped.update(numbers)

    def stop_all(self) -> None:
        """Let every job stop at its next report."""
        self._all = True
