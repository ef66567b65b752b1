"""The folder a training leaves: names of its files, making, reading and locking it.

recipe.toml           every default spelled out
source/               copies of the user's own code that the recipe names
run.json              status, reason, best epoch, cost, versions, device, data
model.json            parameters, multiply-accumulates, one row a layer
curve.jsonl           one line an epoch
log.txt               what was said
weights/{best,last}.safetensors
state/                what --resume needs
scores.json           scores with intervals
<split>.logits.npy    what they are computed from; with labels.npy and rows.npy
test.unseen.npy       test images of which training saw no near-duplicate
<split>.classes.csv   precision, recall, F1 of each class; with confusion.csv
figures/*.svg  report.html
"""

import json
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hundredfold import files, locks, machine, recipe, recipes, wording
from hundredfold.errors import CheckError, DataError, MissingError, UsageError, did_you_mean
from hundredfold.recipe import Recipe

RUNS = Path("runs")
_STAGE, _HOUR = ".new-", 3600.0


@dataclass(frozen=True)
class Run:
    """A run's folder. Everything is read from its files when asked for.

    trusted: SHA-256 digests of code of a user's own that may run, as with `--trust`.
    """

    folder: Path
    trusted: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        return self.folder.resolve().name

    @property
    def info(self) -> dict[str, Any]:
        """run.json: status (running | done | stopped | failed), cost, device, data, versions."""
        return dict(_read_json(self.folder / "run.json"))

    @cached_property
    def recipe(self) -> Recipe:
        """What was trained; code of a user's own in it runs only where `trusted` names it."""
        path = self.folder / "recipe.toml"
        fields = recipes.read_toml(path, "recipe")
        return recipe.from_fields(fields, recipes.own_files(path, self.trusted))

    @property
    def curve(self) -> list[dict[str, float]]:
        """One dictionary an epoch, in order."""
        path = self.folder / "curve.jsonl"
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    @property
    def scores(self) -> dict[str, dict[str, Any]]:
        """scores.json: "test.top_1" -> value, low, high, n; empty before any scoring."""
        path = self.folder / "scores.json"
        return dict(_read_json(path)) if path.exists() else {}

    @property
    def summary(self) -> dict[str, Any]:
        """model.json: parameters, macs and rows; empty where training wrote none."""
        path = self.folder / "model.json"
        return dict(_read_json(path)) if path.exists() else {}

    def logits(self, split: str) -> NDArray[np.float32] | None:
        """Logits (n, classes) of "test" or "validation" with the best weights, if stored."""
        return self._array(f"{split}.logits.npy")

    def labels(self, split: str) -> NDArray[np.int64] | None:
        """Labels (n,) beside `logits`."""
        return self._array(f"{split}.labels.npy")

    def rows(self, split: str) -> NDArray[np.int64] | None:
        """Rows of the stored part that `logits` belong to."""
        return self._array(f"{split}.rows.npy")

    def unseen(self) -> NDArray[np.bool_] | None:
        """Say of each test image (n,) whether training saw nothing nearly the same, if known."""
        return self._array("test.unseen.npy")

    def best(self) -> Path:
        return self.folder / "weights" / "best.safetensors"

    def weights_to_use(self) -> Path:
        """Return the file of the best weights. Raises MissingError where there is none yet."""
        if not self.best().is_file():
            raise MissingError(
                f"the run {str(self.folder)!r} has no weights yet",
                remedy=f"hundredfold train --resume {self.folder}",
            )
        return self.best()

    def last(self) -> Path:
        return self.folder / "weights" / "last.safetensors"

    def save_logits(
        self,
        split: str,
        logits: NDArray[np.float32],
        labels: NDArray[np.int64],
        rows: NDArray[np.int64],
    ) -> None:
        """Store what every score of a split is computed from."""
        arrays: dict[str, NDArray[Any]] = {"logits": logits, "labels": labels, "rows": rows}
        for kind, array in arrays.items():
            _write_array(self.folder / f"{split}.{kind}.npy", array)

    def save_unseen(self, unseen: NDArray[np.bool_]) -> None:
        """Store which test images training saw nothing like, beside their logits."""
        _write_array(self.folder / "test.unseen.npy", unseen)

    def save_info(self, info: dict[str, Any]) -> None:
        files.write_json(self.folder / "run.json", info)

    def save_scores(self, scores: Mapping[str, Mapping[str, float | None]]) -> None:
        """Add scores to those that are there."""
        files.write_json(self.folder / "scores.json", {**self.scores, **scores})

    def delete_scores(self) -> None:
        """Remove scores and logits: they belong to weights that are about to change."""
        for pattern in ("scores.json", "*.npy", "*.csv"):
            for path in self.folder.glob(pattern):
                path.unlink()

    def remove_temporary_files(self) -> None:
        """Remove the temporary files of a writer that was killed; only for the one writer."""
        for folder in (self.folder, self.folder / "weights", self.folder / "state"):
            files.remove_temporary_files(folder)

    def log(self, line: str) -> None:
        with (self.folder / "log.txt").open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    @contextmanager
    def writer(self) -> Iterator[None]:
        """Be the only writer; the lock goes with the process, even with kill -9.

        Raises UsageError at once where another process trains into this folder, and where it
        cannot be written or locked.
        """
        try:
            file = (self.folder / ".lock").open("a")
        except OSError as error:
            raise UsageError(
                f"cannot write in the run {str(self.folder)!r}", found=error.strerror
            ) from None
        with file, ExitStack() as held:
            try:
                held.enter_context(locks.exclusive(file, wait=False))
            except BlockingIOError:
                raise UsageError(
                    f"another process is writing the run {str(self.folder)!r}",
                    remedy="wait for it, or give this one a --name of its own",
                ) from None
            yield

    def _array(self, name: str) -> NDArray[Any] | None:
        path = self.folder / name
        if not path.exists():
            return None
        try:
            array: NDArray[Any] = np.load(path, allow_pickle=False)
        except (ValueError, OSError, EOFError) as error:
            raise DataError(f"cannot read {str(path)!r}", found=str(error)) from None
        return array


def create(
    out: Path, name: str, what: Recipe, contents: Mapping[str, Mapping[str, Any]] | None = None
) -> Run:
    """Make a new run's folder with its recipe, and let `latest` point to it.

    contents: JSON files to begin with, by name. The folder appears with all of it or not at
    all, whenever the process dies. Raises UsageError where the name is taken, as a run is
    never overwritten, and where the folder cannot be made.
    """
    need_free(out, name)
    folder = out / name
    try:
        out.mkdir(parents=True, exist_ok=True)
        with _stage(out) as stage:
            _furnish(stage / "run", what, contents or {})
            (stage / "run").rename(folder)
            (stage / "latest").symlink_to(name)
            (stage / "latest").replace(out / "latest")
        files.sync_folder(out)
    except OSError as error:
        if folder.exists():  # made by another process since
            raise _taken(folder) from None
        raise UsageError(f"cannot make the run {str(folder)!r}", found=str(error)) from None
    return Run(folder)


def _furnish(folder: Path, what: Recipe, contents: Mapping[str, Mapping[str, Any]]) -> None:
    for inside in (folder, folder / "weights", folder / "state"):
        inside.mkdir()
    files.write_text(folder / "recipe.toml", what.toml())
    _keep_sources(folder / "source", what)
    for file, content in contents.items():
        files.write_json(folder / file, content)


def _keep_sources(folder: Path, what: Recipe) -> None:
    """Write copies of the user's own code that a recipe names."""
    for own in {part.own for part in what.parts if part.own and part.own.source}:
        folder.mkdir(exist_ok=True)
        name = own.file if own.file.endswith(".py") else "object.py"
        files.write_text(folder / name, own.source)


@contextmanager
def _stage(out: Path) -> Iterator[Path]:
    """Make a folder to build a run in; remove those that processes killed long ago left."""
    for left in out.glob(f"{_STAGE}*"):
        if time.time() - left.stat().st_mtime > _HOUR:
            shutil.rmtree(left, ignore_errors=True)
    stage = Path(tempfile.mkdtemp(prefix=_STAGE, dir=out))
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def need_room(folder: Path, size: int, remedy: str) -> None:
    """Raise CheckError where the disk of a folder, made or not, has less than `size` bytes."""
    place, _ = machine.place_to_write(folder)
    free = shutil.disk_usage(place).free
    if free < size:
        raise CheckError(
            f"there is not enough room on the disk of {str(folder)!r}",
            found=f"{wording.memory(free)} free, {wording.memory(size)} needed",
            remedy=remedy,
        )


def need_free(out: Path, name: str) -> None:
    """Raise UsageError where a name cannot be a new run's: it is taken, or is no name."""
    if not re.fullmatch(r"[^/\\\x00-\x1f]{1,200}", name) or name in (".", "..", "latest"):
        raise UsageError(f"{name!r} is not a name for a run", remedy="letters, digits, - and _")
    if (out / name).exists():
        raise _taken(out / name)


def _taken(folder: Path) -> UsageError:
    return UsageError(
        f"the run {str(folder)!r} exists, and a run is never overwritten",
        remedy=f"--name OTHER for a new one, or --resume {folder} to go on",
    )


def default_name(what: Recipe, data_name: str) -> str:
    """Return <model>-<data>-<12 hex of the digest>."""
    model = what.model.name.replace("_", "-")
    data = re.sub(r"[^A-Za-z0-9._-]+", "-", data_name).strip("-.") or "data"
    return f"{model}-{data}-{what.digest[:12]}"


def open_run(text: str, out: Path = RUNS) -> Run:
    """Open a run by its folder, by its name in `out`, or as "latest".

    Raises UsageError with "did you mean" where there is none.
    """
    for folder in (Path(text), out / text):
        if (folder / "recipe.toml").is_file():
            return Run(folder)
    known = [run.name for run in all_runs(out)]
    raise UsageError(
        f"there is no run {text!r}",
        found=f"{len(known)} runs in {str(out)!r}",
        remedy=did_you_mean(Path(text).name, known) if known else "hundredfold train",
    )


def all_runs(out: Path = RUNS) -> list[Run]:
    """Return the runs in a folder, by name."""
    places = sorted(f for f in out.iterdir() if f.name[0] != ".") if out.is_dir() else []
    return [Run(f) for f in places if not f.is_symlink() and (f / "recipe.toml").is_file()]


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(f"cannot read {str(path)!r}", found=str(error)) from None


def _write_array(path: Path, array: NDArray[Any]) -> None:
    files.write(path, lambda file: np.save(file, array, allow_pickle=False))
