"""A run in Python: its record and scores, evaluation and prediction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from hundredfold import calibration, prediction, reports, wording
from hundredfold import run as folders
from hundredfold.api import exporting, images
from hundredfold.api.answers import Predictions
from hundredfold.api.explaining import explainer
from hundredfold.api.options import Data, File, home, metric_parts, trusted
from hundredfold.api.pictures import Picture, listed
from hundredfold.recipe import Recipe
from hundredfold.studies.two_runs import TwoRuns, two_runs

if TYPE_CHECKING:  # importing torch takes a second, so it is imported with the first network
    from torch import nn

    from hundredfold.classifier import Classifier

Score: TypeAlias = dict[str, Any]
Metric: TypeAlias = str | Callable[..., Any]

_SPLITS = {"val": "validation", "valid": "validation"}


class Run:
    """A training and its folder; every property reads its file on access.

    In a notebook a run is displayed with its score and curves.
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
        """The status: running, done, stopped (it can be resumed) or failed."""
        return str(self.info["status"])

    @property
    def info(self) -> dict[str, Any]:
        """run.json: status, cost, device, data, versions."""
        return self._files.info

    @property
    def recipe(self) -> Recipe:
        """The recipe, every default spelled out."""
        return self._files.recipe

    @property
    def curve(self) -> list[dict[str, float]]:
        """One dictionary per epoch: "epoch", "train.loss", "validation.top_1" and more.

        `pandas.DataFrame(run.curve)` makes a table of it.
        """
        return self._files.curve

    @property
    def scores(self) -> dict[str, Score]:
        """Scores so far: "validation.top_1" -> value, low, high (95 % interval), n."""
        return self._files.scores

    @property
    def bytes(self) -> int:
        """The size of the folder in bytes."""
        return self._files.bytes

    def evaluate(
        self,
        split: str = "test",
        *,
        data: Data | None = None,
        data_dir: File | None = None,
        metrics: Metric | Sequence[Metric] = (),
        device: str = "auto",
        threads: int = 0,
        reject_at: str = "",
        sets: float = 0.0,
        corruptions: bool = False,
        unlike: bool = False,
    ) -> dict[str, Score]:
        """Score the best weights on a split, and return its scores with 95 % intervals.

        split: "test" or "validation" ("val"). run.json counts the test evaluations.
        data: images passed from Python, which a run does not store: the training images for
            "validation", the test images for "test".
        data_dir: folder of the data, if not the folder of training.
        metrics: additional ones, such as "top_k(k=3)", "my.py:kappa" or a function of logits
            (n, classes) and labels (n,); a number it returns gets a bootstrap interval.
        device: "auto", "cpu", "cuda", "cuda:1" or "mps".
        threads: number of threads; 0 takes every core.
        reject_at: bound of "unknown", chosen on validation: "accuracy=0.95" or "coverage=0.95".
        sets: coverage of label sets, such as 0.9. Both are stored in calibration.json and are in
            force from then on, until others are; `bounds` says what they do.
        corruptions: score up to 2,000 of the images under noise, blur and more, at five strengths,
            too: 41 times as many as they are. Written to corruptions.json, shown on the page.
        unlike: score how well "unknown" tells other kinds of images from the run's, too. Written
            to unlike.json, shown on the page.

        Raises UsageError for another split or metric, for a bound that the validation images
        cannot reach or that are not there, and DataError where the images are missing or are not
        those of the run.
        """
        from hundredfold import evaluation, robustness

        split = _SPLITS.get(split, split)
        calibration.need_rules(reject_at, sets)
        source = images.source_of(
            self._files, data, data_dir, "test" if split == "test" else "train"
        )
        classify = cache(partial(self._open, device, threads))
        if split == "test" and (reject_at or sets):  # refuse before the evaluation is counted
            evaluation.renew_validation(self._files, source, classify)
            calibration.fit(self._files, reject_at, sets)
        scores = evaluation.evaluate(self._files, split, source, classify, metric_parts(metrics))
        if reject_at or sets:
            with self._files.writer():
                calibration.store(self._files, calibration.fit(self._files, reject_at, sets))
        if corruptions:
            robustness.corruptions(self._files, split, source, classify)
        if unlike:
            robustness.unlike(self._files, split, source, classify)
        return scores

    def bounds(self, split: str = "test") -> dict[str, Any]:
        """Return the temperature, and what the stored bounds do on a split that is scored.

        "reject" has the coverage and accuracy of accepted images, "sets" how often the true class
        is in its set and the mean size; each where `evaluate` has chosen it.
        """
        return calibration.effect(self._files, _SPLITS.get(split, split))

    def predict(
        self,
        pictures: Picture | Iterable[Picture],
        *,
        device: str = "auto",
        threads: int = 0,
        reject_at: str = "",
        sets: float = 0.0,
    ) -> Predictions:
        """Predict images with the best weights, in their order.

        pictures: one or several files, folders of files, PIL images or uint8 arrays (height,
            width, 3); an array (n, height, width, 3) is n images.
        reject_at, sets: bounds as for `evaluate`, fitted for this call; without them those that
            are stored are in force. They fill `rejected` and `label_set`.

        A file that is not an image gets a prediction with an `error`. Raises UsageError where a
        path does not exist or an array is not an image.
        """
        how = calibration.fit(self._files, reject_at, sets)
        found = prediction.predict(self._open(device, threads), listed(pictures), how)
        return Predictions(found, found.passed_over)

    def export(
        self,
        to: str = "onnx",
        *,
        file: File | None = None,
        force: bool = False,
        data: Data | None = None,
        data_dir: File | None = None,
        reject_at: str = "",
        sets: float = 0.0,
        min_agreement: float = 0.99,
        max_drop: float = 0.005,
    ) -> Path:
        """Write the network as a file that others can run, and return its absolute path.

        to: "onnx", "onnx-int8", "html", "torch" or "openvino". file: where to, instead of the run's
            folder "export". force: replace a file that exists.
        data, data_dir: source of the images that the file is checked with, if not that of training.
        reject_at: what the bound of `unknown` is chosen for, "accuracy=0.95" or "coverage=0.95".
        sets: how often label sets are to hold the true class, such as 0.9; 0 takes what is stored.
        min_agreement, max_drop: of int8, the fraction of images of equal class at least, and what
            the accuracy may lose.

        FILE.check.json and a model card are written beside it. Raises CheckError where the file and
        the network disagree, and UsageError for a file that exists.
        """
        source = images.source_of(self._files, data, data_dir)
        bounds = min_agreement, max_drop
        return exporting.export(self._files, to, file, force, source, reject_at, sets, bounds)

    def report(self, *, data: Data | None = None, data_dir: File | None = None) -> Path:
        """Write report.html and figures/*.svg into the run's folder; return the page.

        data, data_dir: source of the images of the worst mistakes, if not that of training.
        """
        source = images.source_of(self._files, data, data_dir)
        return reports.write_run(self._files, source, explainer(lambda: self._open("cpu", 0)))

    def compare(self, other: Run | File, *, out: File = folders.RUNS) -> TwoRuns:
        """Compare this run with another: recipes, scores, and a paired test on the same images.

        other: a run, or the name or folder of one; out: the folder of runs, for names. Printing
        the result gives its verdict. Raises UsageError for a run and itself.
        """
        return two_runs(self._files, opened(other, out)._files)

    def remove(self) -> None:
        """Delete the run's folder, and `latest` if it pointed there.

        Raises UsageError where a process writes the run, and for a folder that is not a run.
        """
        folders.removal.delete(self._files)

    def model(self, *, device: str = "auto") -> nn.Module:
        """Return the network with its best weights, in evaluation mode.

        It maps uint8 images (batch, 3, height, width) to logits (batch, classes). A network that
        only TensorFlow has is returned as a Keras model.
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

    A run never executes your own code by itself. To open a run with a network of your own, pass
    one of these:

    model: the function, class or network.
    trust: .py files that may run, identical to those that were trained.

    Raises UsageError with "did you mean" where there is no such run.
    """
    folder = folders.open_run(home(name), Path(home(out))).folder
    return Run(folder, model=model, trusted=trusted(trust))


def list_runs(out: File = folders.RUNS) -> list[Run]:
    """Return the runs in a folder, sorted by name."""
    return [Run(run.folder) for run in folders.all_runs(Path(home(out)))]


def opened(run: Run | File, out: File = folders.RUNS) -> Run:
    """Return a run; open it if it is a name or a folder."""
    return run if isinstance(run, Run) else load(run, out=out)
