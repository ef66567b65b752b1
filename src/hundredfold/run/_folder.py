"""A run's folder: read and write each of its files, and lock it for one writer."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hundredfold import files, locks, recipe, recipes
from hundredfold.errors import DataError, MissingError, UsageError
from hundredfold.recipe import Recipe
from hundredfold.run import commits
from hundredfold.wording import visible

RUNS, LATEST = Path("runs"), "latest"
_TRIES, _PAUSE = 5, 0.05  # attempts, seconds; a reader of `info` may hold the lock for a moment


@dataclass(frozen=True)
class Run:
    """A run's folder; every property reads its file on access.

    trusted: SHA-256 digests of the user's own code that may run, as with `--trust`.
    model:   the function, class or network that was trained, if Python holds it; else None.
    """

    folder: Path
    trusted: frozenset[str] = frozenset()
    model: Any = field(default=None, compare=False, repr=False)

    @property
    def name(self) -> str:
        return self.folder.resolve().name

    @property
    def info(self) -> dict[str, Any]:
        """run.json: status (running | done | stopped | failed), cost, device, data, versions.

        A run that is "running" in the file but has no writer was killed: it is "stopped".
        """
        info = self._record
        if info.get("status") == "running" and not locks.is_held(self.folder / ".lock"):
            info |= {"status": "stopped", "reason": "process gone"}
        return info

    @property
    def _record(self) -> dict[str, Any]:
        return dict(_read_json(self.folder / "run.json"))

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe; the user's own code in it runs only if `trusted` has its digest."""
        path = self.folder / "recipe.toml"
        fields = recipes.read_toml(path, "recipe")
        written = recipe.from_fields(fields, recipes.own_files(path, self.trusted))
        return written if self.model is None else written.with_model(self.model)

    @property
    def curve(self) -> list[dict[str, float]]:
        """curve.jsonl: one dictionary per epoch, in order."""
        path = self.folder / "curve.jsonl"
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    @property
    def scores(self) -> dict[str, dict[str, Any]]:
        """scores.json: "test.top_1" -> value, low, high, n; {} before any evaluation."""
        path = self.folder / "scores.json"
        return dict(_read_json(path)) if path.exists() else {}

    @property
    def summary(self) -> dict[str, Any]:
        """model.json: parameters, macs and rows; {} where training wrote none."""
        path = self.folder / "model.json"
        return dict(_read_json(path)) if path.exists() else {}

    def logits(self, split: str) -> NDArray[np.float32] | None:
        """Return the stored logits (n, classes) of "test" or "validation" with the best weights."""
        return self._array(f"{split}.logits.npy")

    def labels(self, split: str) -> NDArray[np.int64] | None:
        """Return the labels (n,) of `logits`, if stored."""
        return self._array(f"{split}.labels.npy")

    def rows(self, split: str) -> NDArray[np.int64] | None:
        """Return the rows (n,) of the part to which `logits` belong, if stored."""
        return self._array(f"{split}.rows.npy")

    def unseen(self) -> NDArray[np.bool_] | None:
        """Return (n,), whether the training data have no near-duplicate of each test image."""
        return self._array("test.unseen.npy")

    def best(self) -> Path:
        return self.folder / "weights" / "best.safetensors"

    def last(self) -> Path:
        return self.folder / "weights" / "last.safetensors"

    def weights_to_use(self) -> tuple[Path, str]:
        """Return the file of the best weights so far, and a note on their origin ("" if usual).

        Before training has ended, they are those of the newest checkpoint. Raises MissingError
        where there are none yet.
        """
        ended = not (self.folder / "run.json").exists() or self._record.get("status") != "running"
        if ended and self.best().is_file():
            return self.best(), ""
        if saved := commits.newest_best(self.folder / "state"):
            file, epoch = saved
            return file, f"training has not ended; using its best weights so far, of epoch {epoch}"
        if self.best().is_file():
            return self.best(), ""
        raise MissingError(
            f"the run {str(self.folder)!r} has no weights yet",
            remedy=f"hundredfold train --resume {self.folder}",
        )

    def scored(self, split: str) -> dict[str, str]:
        """Return the digests of images and weights of a split's stored logits; {} if unknown."""
        path = self.folder / f"{split}.json"
        return dict(_read_json(path)) if path.exists() else {}

    def save_logits(
        self,
        split: str,
        logits: NDArray[np.float32],
        labels: NDArray[np.int64],
        rows: NDArray[np.int64],
        scored: Mapping[str, str] | None = None,
    ) -> None:
        """Store the logits (n, classes), labels (n,) and rows (n,) of a split.

        scored: digests of the images and the weights. They are written last, so that incomplete
                files are never taken for theirs.
        """
        key = self.folder / f"{split}.json"
        key.unlink(missing_ok=True)
        arrays: dict[str, NDArray[Any]] = {"logits": logits, "labels": labels, "rows": rows}
        for kind, array in arrays.items():
            _write_array(self.folder / f"{split}.{kind}.npy", array)
        if scored:
            files.write_json(key, dict(scored))

    def save_unseen(self, unseen: NDArray[np.bool_] | None) -> None:
        """Store (n,), whether the training data have no near-duplicate of each test image.

        None deletes it.
        """
        path = self.folder / "test.unseen.npy"
        if unseen is None:
            path.unlink(missing_ok=True)
        else:
            _write_array(path, unseen)

    def save_info(self, info: dict[str, Any]) -> None:
        files.write_json(self.folder / "run.json", info)

    def replace_scores(self, split: str, scores: Mapping[str, Mapping[str, float | None]]) -> None:
        """Replace all scores of a split."""
        others = {k: v for k, v in self.scores.items() if not k.startswith(f"{split}.")}
        files.write_json(self.folder / "scores.json", {**others, **scores})

    def delete_scores(self) -> None:
        """Delete scores and logits, because the weights are about to change."""
        for pattern in ("scores.json", "test.json", "validation.json", "*.npy", "*.csv"):
            for path in self.folder.glob(pattern):
                path.unlink()

    def delete_state(self) -> None:
        """Delete the checkpoints, which nothing reads once the run is done.

        Commits are deleted first, so that none ever names a missing file.
        """
        for pattern in ("*.json", "*.safetensors"):
            for path in (self.folder / "state").glob(pattern):
                path.unlink(missing_ok=True)

    def remove_temporary_files(self) -> None:
        """Delete the temporary files of a killed writer; only the current writer may call it."""
        for folder in (self.folder, self.folder / "weights", self.folder / "state"):
            files.remove_temporary_files(folder)

    def log(self, line: str) -> None:
        with (self.folder / "log.txt").open("a", encoding="utf-8") as file:
            file.write(visible(line) + "\n")

    @contextmanager
    def writer(self) -> Iterator[None]:
        """Hold the lock of the only writer; it ends with the process, even after kill -9.

        Raises UsageError, within 0.25 s, where another process writes this run, and where the
        folder cannot be written or locked.
        """
        try:
            file = (self.folder / ".lock").open("a")
        except OSError as error:
            raise UsageError(
                f"cannot write in the run {str(self.folder)!r}", found=error.strerror
            ) from None
        with file, ExitStack() as lock:
            for last in (*[False] * _TRIES, True):
                try:
                    lock.enter_context(locks.exclusive(file, wait=False))
                    break
                except BlockingIOError:
                    if last:
                        raise self._written_elsewhere() from None
                    time.sleep(_PAUSE)
            yield

    def _written_elsewhere(self) -> UsageError:
        return UsageError(
            f"another process is writing the run {str(self.folder)!r}",
            remedy="wait for it, or choose another --name",
        )

    def _array(self, name: str) -> NDArray[Any] | None:
        path = self.folder / name
        if not path.exists():
            return None
        try:
            array: NDArray[Any] = np.load(path, allow_pickle=False)
        except (ValueError, OSError, EOFError) as error:
            raise DataError(f"cannot read {str(path)!r}", found=str(error)) from None
        return array


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(f"cannot read {str(path)!r}", found=str(error)) from None


def _write_array(path: Path, array: NDArray[Any]) -> None:
    files.write(path, lambda file: np.save(file, array, allow_pickle=False))
