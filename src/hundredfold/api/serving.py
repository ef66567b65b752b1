"""Serve a run, or a file that was exported from one, over HTTP."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hundredfold import machine, onnx_metadata
from hundredfold.errors import UsageError, kind_of, shortened
from hundredfold.paths import expanded
from hundredfold.server import lifetime
from hundredfold.server.settings import Settings

__all__ = ["Settings", "serve"]

_EXPORTED = ("export", "model.onnx")  # in a run's folder


def serve(
    run_or_file: str,
    settings: Settings,
    *,
    reject_at: str = "",
    sets: float = 0.0,
    out: Path = Path("runs"),
    trust: Sequence[Path] = (),
    say: Callable[[str], object] = lambda _url: None,
) -> dict[str, Any]:
    """Serve a run or an .onnx file until SIGTERM or SIGINT; return what was done.

    A run is exported first, in a child process, where its file is missing, or has other weights,
    another temperature or other bounds than the run has now.
    reject_at, sets: as in `export`, a rule such as "accuracy=0.95" and a coverage such as 0.9; a
    file has to have been exported with the same. trust: files of the user that the run names, and
    that may run in an export. say: called with the URL once images are taken.

    Raises UsageError for a run or file that is not there, or without these bounds.
    """
    source = (
        _File(run_or_file, reject_at, sets)
        if _is_file(run_or_file)
        else _OfRun(run_or_file, reject_at, sets, out, trust)
    )
    source.renew()
    return lifetime.run(source.path, settings, refresh=source.renew, say=say)


def _is_file(text: str) -> bool:
    return text.lower().endswith(".onnx") or expanded(text).is_file()


class _File:
    """An exported file."""

    def __init__(self, text: str, reject_at: str, sets: float) -> None:
        self.path = expanded(text).absolute()
        self._reject_at, self._sets = reject_at, sets

    def renew(self) -> None:
        """Raise UsageError where the file is absent or has other bounds."""
        if not self.path.is_file():
            raise UsageError(
                f"there is no file {str(self.path)!r}", remedy="hundredfold export RUN --to onnx"
            )
        if missing := onnx_metadata.missing_bounds(
            onnx_metadata.metadata_of(self.path), self._reject_at, self._sets
        ):
            raise UsageError(
                f"{str(self.path)!r} was not exported with {missing}",
                remedy=f"hundredfold export RUN --to onnx {missing}, or serve the run itself",
            )


class _OfRun:
    """The file that a run is exported to."""

    def __init__(
        self, text: str, reject_at: str, sets: float, out: Path, trust: Sequence[Path]
    ) -> None:
        from hundredfold.run import open_run  # NumPy and Pydantic, which a file alone needs not

        self._folder = open_run(text, out).folder.absolute()
        self._reject_at, self._sets = reject_at, sets
        self._trust = [str(expanded(str(path)).absolute()) for path in trust]
        self.path = self._folder.joinpath(*_EXPORTED)

    def renew(self) -> None:
        """Export the run where its file is missing, or is not what `predict` would answer now."""
        if self._is_current():
            return
        options = [f"--trust={path}" for path in self._trust]
        options += [f"--reject-at={self._reject_at}"] if self._reject_at else []
        options += [f"--sets={self._sets}"] if self._sets else []
        _export(self._folder, options)

    def _is_current(self) -> bool:
        """Return whether the file has the run's weights, temperature and bounds.

        Raises UsageError for bounds that the run cannot have.
        """
        from hundredfold import calibration
        from hundredfold.onnx_model import is_calibrated_as
        from hundredfold.run import Run, digests

        run = Run(self._folder)
        wanted = calibration.fit(run, self._reject_at, self._sets)
        metadata = onnx_metadata.metadata_of(self.path)
        return (
            metadata.get("kind") == "onnx"
            and is_calibrated_as(metadata, wanted)
            and metadata.get("weights_sha256") == digests.of_file(run.weights_to_use()[0])
        )


def _export(folder: Path, options: list[str]) -> None:
    """Export a run in a child process: what that loads, the server has no use for.

    options: further ones of `export`. Raises the error of the child.
    """
    sys.stderr.write(f"exporting {folder}\n")
    command = [*machine.python(), "-m", "hundredfold", "export", str(folder)]
    done = subprocess.run(
        [*command, "--to", "onnx", "--force", *options, "--json"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        env=os.environ | {machine.PARENT: str(os.getpid())},
        check=False,
    )
    if done.returncode == 0:
        return
    try:
        error = json.loads(done.stdout)["error"]
        message, remedy = str(error["message"]), error.get("try")
    except (ValueError, TypeError, KeyError):
        message, remedy = f"the export ended with exit code {done.returncode}", None
        message += f": {shortened(done.stderr.strip()[-300:])}" if done.stderr.strip() else ""
    raise kind_of(done.returncode)(message, remedy=remedy)
