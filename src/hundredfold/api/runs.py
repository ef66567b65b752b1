"""A run as its user holds it: what it reached, and what can be done with it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hundredfold import prediction, reports, wording
from hundredfold import run as folders
from hundredfold.api import images
from hundredfold.api.answers import Predictions
from hundredfold.api.options import Data, File, home, metric_parts, trusted
from hundredfold.recipe import Recipe

if TYPE_CHECKING:  # torch takes a second: it is loaded where a network is
    from torch import nn

    from hundredfold.classifier import Classifier

Picture: TypeAlias = File | NDArray[np.uint8] | Image.Image
Score: TypeAlias = dict[str, Any]
Metric: TypeAlias = str | Callable[..., Any]

_SPLITS = {"val": "validation", "valid": "validation"}


class Run:
    """A training and what it left in its folder; everything is read when asked for.

    A run shows itself in a notebook.
    """

    def __init__(
        self, folder: File, *, model: Any = None, trusted: frozenset[str] = frozenset()
    ) -> None:
        self._files = folders.Run(Path(folder), trusted, model)

    @property
    def folder(self) -> Path:
        return self._files.folder

    @property
    def name(self) -> str:
        return self._files.name

    @property
    def status(self) -> str:
        """running, done, stopped (it can be resumed) or failed."""
        return str(self.info["status"])

    @property
    def info(self) -> dict[str, Any]:
        """What run.json says: status, cost, device, data, versions."""
        return self._files.info

    @property
    def recipe(self) -> Recipe:
        """What was trained, every default spelled out."""
        return self._files.recipe

    @property
    def curve(self) -> list[dict[str, float]]:
        """One dictionary an epoch: "epoch", "train.loss", "validation.top_1" and more.

        `pandas.DataFrame(run.curve)` is the table of it.
        """
        return self._files.curve

    @property
    def scores(self) -> dict[str, Score]:
        """Scores so far: "validation.top_1" -> value, low, high (95 % interval), n."""
        return self._files.scores

    def evaluate(
        self,
        split: str = "test",
        *,
        data: Data | None = None,
        data_dir: File | None = None,
        metrics: Iterable[Metric] = (),
        device: str = "auto",
        threads: int = 0,
    ) -> dict[str, Score]:
        """Score the best weights on a split, with 95 % intervals, and return those scores.

        split: "test", each look at which is counted in run.json, or "validation" ("val").
        data: images that were handed over in Python are not kept, so hand them over again: for
            "validation" those of the training, for "test" the test images.
        data_dir: where the data lie, if not where they lay in training.
        metrics: more of them, such as "top_k(k=3)", "my.py:kappa" or a function of logits
            (n, classes) and labels (n,); a number it returns gets a bootstrap interval.

        Raises UsageError for another split or metric, and DataError where there are no such
        images or they are not the run's.
        """
        from hundredfold import evaluation

        split = _SPLITS.get(split, split)
        source = images.source_of(
            self._files, data, data_dir, "test" if split == "test" else "train"
        )
        classify = partial(self._open, device, threads)
        return evaluation.evaluate(self._files, split, source, classify, metric_parts(metrics))

    def predict(
        self, pictures: Picture | Iterable[Picture], *, device: str = "auto", threads: int = 0
    ) -> Predictions:
        """Predict images by the best weights, in their order.

        pictures: one or several files, folders of files, PIL images or uint8 arrays (height,
            width, 3); an array (n, height, width, 3) is n of them.

        A file that is no image gets a prediction with an `error`. Raises UsageError where a
        path does not exist or an array is no image.
        """
        return Predictions(prediction.predict(self._open(device, threads), _pictures(pictures)))

    def report(self, *, data: Data | None = None, data_dir: File | None = None) -> Path:
        """Write report.html and figures/*.svg into the run's folder; return the page.

        data, data_dir: where the images of the worst mistakes are, if not where they were.
        """
        return reports.write_run(self._files, images.source_of(self._files, data, data_dir))

    def model(self, *, device: str = "auto") -> nn.Module:
        """Return the network with its best weights, in evaluation mode.

        It takes uint8 (batch, 3, height, width) and returns logits (batch, classes). Of a
        network that TensorFlow alone has, it is the Keras model.
        """
        network: nn.Module = self._open(device, 0).network  # type: ignore[attr-defined]
        return network

    def _open(self, device: str, threads: int) -> Classifier:
        from hundredfold.compute import device as devices
        from hundredfold.engines import engine_for

        chosen = devices.choose(device)
        devices.use_threads(threads)
        return engine_for(self.recipe).open(self._files, chosen)

    def __repr__(self) -> str:
        facts = self.info
        score = self.scores.get("test.top_1") or self.scores.get("validation.top_1")
        split = "test" if "test.top_1" in self.scores else "validation"
        reached = f", {wording.percent(score['value'])} of the {split} images" if score else ""
        return f"Run({str(self.folder)!r}, {facts['status']}{reached})"

    def _repr_html_(self) -> str:
        return reports.run_html(self._files)


def load(
    name: File = "latest",
    *,
    out: File = folders.RUNS,
    model: Any = None,
    trust: Iterable[File] | None = None,
) -> Run:
    """Open a run by its folder, by its name in `out`, or the newest as "latest".

    A network of your own is code that does not run because a run names it. model: the function,
    class or network itself. trust: .py files that may run, each the one that was trained.

    Raises UsageError with "did you mean" where there is no such run.
    """
    folder = folders.open_run(home(name), Path(home(out))).folder
    return Run(folder, model=model, trusted=trusted(trust))


def list_runs(out: File = folders.RUNS) -> list[Run]:
    """Return the runs in a folder, by name."""
    return [Run(found.folder) for found in folders.all_runs(Path(home(out)))]


def opened(run: Run | File, out: File = folders.RUNS) -> Run:
    """Return a run, opened where it is named."""
    return run if isinstance(run, Run) else load(run, out=out)


def evaluate(
    run: Run | File,
    split: str = "test",
    *,
    data: Data | None = None,
    data_dir: File | None = None,
    metrics: Iterable[Metric] = (),
    device: str = "auto",
    threads: int = 0,
    out: File = folders.RUNS,
) -> dict[str, Score]:
    """Score a run on a split, as `Run.evaluate` does. out: where runs are that are named."""
    found = opened(run, out)
    return found.evaluate(
        split, data=data, data_dir=data_dir, metrics=metrics, device=device, threads=threads
    )


def predict(
    run: Run | File,
    pictures: Picture | Iterable[Picture],
    *,
    device: str = "auto",
    threads: int = 0,
    out: File = folders.RUNS,
) -> Predictions:
    """Predict images by a run, as `Run.predict` does. out: where runs are that are named."""
    return opened(run, out).predict(pictures, device=device, threads=threads)


def _pictures(pictures: Picture | Iterable[Picture]) -> list[prediction.Item]:
    if isinstance(pictures, str | os.PathLike | Image.Image):
        return [_picture(pictures)]
    if isinstance(pictures, np.ndarray) and pictures.ndim < 4:
        return [pictures]
    return [_picture(picture) for picture in pictures]


def _picture(picture: Picture) -> prediction.Item:
    return Path(home(picture)) if isinstance(picture, str | os.PathLike) else picture
