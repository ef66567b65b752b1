"""A run's folder: read and write each of its files, and lock it for one writer."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from hundredfold import files, recipe, recipes
from hundredfold.errors import MissingError, UsageError
from hundredfold.recipe import Recipe
from hundredfold.run import _lock, commits, evaluation_schema, plain, reading, schema
from hundredfold.wording import visible

RUNS, LATEST = Path("runs"), "latest"


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
        if info["status"] == "running" and not self.is_written:
            info |= {"status": "stopped", "reason": "process gone"}
        return info

    @property
    def _record(self) -> dict[str, Any]:
        return reading.table(self.folder, "run.json", schema.Info)

    @property
    def is_written(self) -> bool:
        """Whether a process holds the lock of the writer."""
        return _lock.is_held(self.folder)

    @property
    def stated(self) -> tuple[str, dict[str, Any]]:
        """The text of recipe.toml, and its fields as plain values, even if a part is unknown."""
        return reading.toml(self.folder, "recipe.toml")

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe; the user's own code in it runs only if `trusted` has its digest."""
        path, fields = self.folder / "recipe.toml", self.stated[1]
        own = recipes.own_files(path, self.trusted)
        for file in sorted(own.folder.glob("*.py")):
            plain.need_file(self.folder, str(file.relative_to(self.folder)))
        try:
            written = recipe.from_fields(fields, own)
        except UsageError as error:
            found = f"{error.message}{': ' if error.found else ''}{error.found or ''}"
            raise reading.damaged(str(path), found) from None
        return written if self.model is None else written.with_model(self.model)

    @property
    def curve(self) -> list[dict[str, float]]:
        """curve.jsonl: one dictionary per epoch, in order; a half last line is passed over."""
        if not self._has("curve.jsonl"):
            return []
        return reading.curve(self.folder, "curve.jsonl")

    @property
    def scores(self) -> dict[str, dict[str, Any]]:
        """scores.json: "test.top_1" -> value, low, high, n; {} before any evaluation."""
        return self._table("scores.json", schema.Scores)

    def stored(self, name: str) -> dict[str, Any]:
        """Return calibration.json, corruptions.json or unlike.json by its stem; {} if absent."""
        return self._table(f"{name}.json", evaluation_schema.STORED[name])

    @property
    def summary(self) -> dict[str, Any]:
        """model.json: parameters, macs and rows; {} where training wrote none."""
        return self._table("model.json", schema.Summary)

    @property
    def bytes(self) -> int:
        """The size of the folder."""
        return plain.size(self.folder)

    def has_logits(self, split: str) -> bool:
        """Return whether logits of a split are stored, damaged or not."""
        return self._has(f"{split}.logits.npy")

    def logits(self, split: str) -> NDArray[np.float32] | None:
        """Return the stored logits (n, classes) of "test" or "validation" with the best weights."""
        logits = self._array(f"{split}.logits.npy", np.float32, 2)
        classes = None if logits is None else self._classes
        if logits is not None and classes and logits.shape[1] != classes:
            found = f"logits of {logits.shape[1]} classes, and run.json has {classes}"
            raise reading.damaged(str(self.folder / f"{split}.logits.npy"), found)
        return logits

    def labels(self, split: str) -> NDArray[np.int64] | None:
        """Return the labels (n,) of `logits`, if stored."""
        return self._beside(split, "labels", self._classes or 2**31)

    def rows(self, split: str) -> NDArray[np.int64] | None:
        """Return the rows (n,) of the part to which `logits` belong, if stored."""
        return self._beside(split, "rows", 2**53)

    def unseen(self) -> NDArray[np.bool_] | None:
        """Return (n,), whether the training data have no near-duplicate of each test image."""
        unseen = self._array("test.unseen.npy", np.bool_, 1)
        labels = None if unseen is None else self.labels("test")
        if unseen is not None and labels is not None and len(labels) != len(unseen):
            found = f"{len(unseen):,} images, and {len(labels):,} are scored"
            raise reading.damaged(str(self.folder / "test.unseen.npy"), found)
        return unseen

    def best(self) -> Path:
        return self.folder / "weights" / "best.safetensors"

    def last(self) -> Path:
        return self.folder / "weights" / "last.safetensors"

    def weights_to_use(self) -> tuple[Path, str]:
        """Return the file of the best weights so far, and a note on their origin ("" if usual).

        Before training has ended, they are those of the newest checkpoint. Raises MissingError
        where there are none yet.
        """
        best = "weights/best.safetensors"
        ended = not self._has("run.json") or self._record["status"] != "running"
        if ended and self._has(best):
            return plain.need_file(self.folder, best), ""
        if saved := commits.newest_best(plain.need_folder(self.folder, "state")):
            file, epoch = saved
            return file, f"training has not ended; using its best weights so far, of epoch {epoch}"
        if self._has(best):
            return plain.need_file(self.folder, best), ""
        over = ended and self._has("run.json") and self._record["status"] == "done"
        raise MissingError(
            f"the run {str(self.folder)!r} has no weights{'' if over else ' yet'}",
            remedy=f"hundredfold train {'' if over else '--resume '}{self.folder}"
            f"{'/recipe.toml --name OTHER' if over else ''}",
        )

    def scored(self, split: str) -> dict[str, str]:
        """Return the digests of images and weights of a split's stored logits; {} if unknown."""
        return self._table(f"{split}.json", schema.Scored)

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
        stored = ("scores", "test", "validation", *evaluation_schema.STORED)
        for pattern in (*(f"{name}.json" for name in stored), "*.npy", "*.csv"):
            for path in self.folder.glob(pattern):
                path.unlink()

    def delete_split(self, split: str) -> None:
        """Delete the scores and logits of a split; with validation goes its calibration."""
        self.replace_scores(split, {})
        (self.folder / f"{split}.json").unlink(missing_ok=True)
        if split == "validation":
            (self.folder / "calibration.json").unlink(missing_ok=True)
        for ending in ("npy", "csv"):
            for path in self.folder.glob(f"{split}.*.{ending}"):
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
        self.append("log.txt", visible(line) + "\n")

    def append(self, name: str, text: str) -> None:
        """Append to a file of the run."""
        plain.append(self.folder / name, text)

    @contextmanager
    def writer(self) -> Iterator[None]:
        """Hold the lock of the only writer; it ends with the process, even after kill -9.

        Raises UsageError, within 0.25 s, where another process writes this run, and where the
        folder cannot be written or locked. Raises DataError where it contains a link.
        """
        with _lock.writer(self.folder):
            yield

    @property
    def _classes(self) -> int:
        """The number of classes in run.json; 0 if unknown."""
        data = self._record.get("data") if self._has("run.json") else None
        return len((data or {}).get("classes", ()))

    def _beside(self, split: str, kind: str, below: int) -> NDArray[np.int64] | None:
        """Return whole numbers (n,) that belong to the logits of a split, in [0, below)."""
        name = f"{split}.{kind}.npy"
        values = self._array(name, np.int64, 1)
        if values is None:
            return None
        if values.min() < 0 or values.max() >= below:
            raise reading.damaged(str(self.folder / name), f"a number that is none of {kind}")
        logits = reading.shape(self.folder, f"{split}.logits.npy", np.float32, 2)
        if len(values) != logits[0]:
            found = f"{len(values):,} {kind} of {logits[0]:,} images"
            raise reading.damaged(str(self.folder / name), found)
        return values

    def _has(self, name: str) -> bool:
        return plain.exists(self.folder / name)

    def _table(self, name: str, kind: type[BaseModel]) -> dict[str, Any]:
        return reading.table(self.folder, name, kind) if self._has(name) else {}

    def _array(self, name: str, dtype: type[np.generic], ndim: int) -> NDArray[Any] | None:
        return reading.array(self.folder, name, dtype, ndim) if self._has(name) else None


def _write_array(path: Path, array: NDArray[Any]) -> None:
    files.write(path, lambda file: np.save(file, array, allow_pickle=False))
