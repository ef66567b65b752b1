"""Train from Python: turn keywords into a recipe, and run it with its engine."""

import signal
import sys
import time
import warnings
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Unpack

from hundredfold import machine, reports, run, trackers
from hundredfold.api.options import TrainOptions
from hundredfold.api.request import Request, call_text, read, source_of_options
from hundredfold.api.runs import Run
from hundredfold.compute import torchrun
from hundredfold.errors import HundredfoldError, HundredfoldWarning, Interrupted, UsageError
from hundredfold.events import shown_progress
from hundredfold.size import Size

if TYPE_CHECKING:  # importing torch takes a second, so it is imported when training begins
    from hundredfold.planner import Wishes
    from hundredfold.recipe import Recipe
    from hundredfold.training import Options, Progress


def train(recipe: str = "", /, **options: Unpack[TrainOptions]) -> Run:
    """Train an image classifier and return its run.

    recipe: one that ships ("simple-cnn") or a .toml file; "" is Keras' defaults: a simple CNN,
        Adam, batches of 128, early stopping with patience 25.
    options: the flags of `hundredfold train`, with _ for -. Recipe fields override those of the
        recipe: epochs=5, model="resnet(depth=20)".
    data: the name of a data set, a folder of images, a pair of uint8 images (n, height, width,
        3) and n labels, a DataFrame with the columns `image` and `label`, a torch Dataset of
        (image, label), or a dictionary of these by part, {"train": ..., "test": ...}.
    progress: "auto" shows progress in a notebook, and on stderr where that is a terminal;
        "none" shows nothing; a function is called with each event, a dictionary.

    The page report.html is written at the end. An interrupt saves the state. In a notebook or
    another interactive session it returns the run with the status "stopped"; elsewhere it raises
    Interrupted. `train(resume=run.folder)` continues the run. Under torchrun only process 0
    returns; the others leave with SystemExit at the end of the training.

    Raises UsageError, DataError, MissingError or CheckError, each with a remedy and the exit code
    of the command.
    """
    try:
        return begin(recipe, options, call_text("train", recipe, options))
    except Interrupted as stopped:
        by_hand = stopped.exit_code == 128 + signal.SIGINT
        if stopped.run is None or not (by_hand and _interactive()):
            raise
        return Run(stopped.run)


def begin(recipe: str, options: Mapping[str, Any], command: str) -> Run:
    """Train as `train` does. command: the call or command line, for run.json."""
    began, today = time.monotonic(), datetime.now(UTC).isoformat(timespec="seconds")
    machine.wait_briefly()
    placed = torchrun.rank()
    if placed and placed.rank:
        _follow(options)
    request = read(recipe, options)
    with shown_progress(request.display is not None):
        run = _train(request, command, began)
        if not _has_page(run, today):
            _write_page(run, request)
    own = request.recipe.model.own
    return Run(run.folder, model=own.value if own else None, trusted=request.recipe.trusted)


def estimate(recipe: str = "", /, **options: Unpack[TrainOptions]) -> dict[str, Any]:
    """Return the estimated cost of a training, without writing anything.

    Returns seconds, bytes of disk, steps, parameters and more. Raises UsageError for `resume`.
    """
    began = time.monotonic()
    torchrun.refuse("an estimate")
    request = read(recipe, options)
    if request.begun:
        raise UsageError("the rest of a resumed run cannot be estimated")
    from hundredfold import training
    from hundredfold.engines import engine_for

    settings, progress, trained_recipe = _settings(request, ""), _progress(request), request.recipe
    with shown_progress(request.display is not None):
        if request.options["budget"]:
            trained_recipe, settings = _planned(request, settings, progress, began)
        return training.estimate(trained_recipe, settings, progress, engine_for(trained_recipe))


def _follow(options: Mapping[str, Any]) -> NoReturn:
    """Follow torchrun's process 0 and leave with SystemExit: it alone writes and goes on."""
    from hundredfold.engines.pytorch.follow import follow_torchrun

    device = str(options.get("device") or "auto")
    raise SystemExit(follow_torchrun(source_of_options(options), device))


def _train(request: Request, command: str, began: float) -> run.Run:
    from hundredfold import training
    from hundredfold.engines import engine_for

    settings, progress = _settings(request, command), _progress(request)
    engine = engine_for(request.recipe)
    if request.begun:
        return training.resume(request.begun, settings, progress, engine)
    if request.options["budget"]:
        return _train_within(request, settings, progress, began)
    return training.train(request.recipe, settings, progress, engine)


def _train_within(
    request: Request, settings: "Options", progress: "Progress", began: float
) -> run.Run:
    """Train within the budget: a recipe that the user named, or what the planner chooses."""
    from hundredfold import planner

    seconds = planner.parse_duration(request.options["budget"])
    if request.named:
        return planner.train_epochs(request.recipe, seconds, settings, progress, began)
    best = planner.train(_wishes(request), seconds, settings, progress, began)
    if followers := trackers.choose(request.options["log"]):
        followers.replay(best)  # of all that were tried, it is the run that stays
    return best


def _planned(
    request: Request, settings: "Options", progress: "Progress", began: float
) -> "tuple[Recipe, Options]":
    """Return the recipe that a budget would probably train, and the options to estimate it."""
    from hundredfold import planner

    seconds = planner.parse_duration(request.options["budget"])
    if not request.named:
        return planner.sketch(_wishes(request), seconds, settings, progress).recipe, settings
    job, _ = planner.plan_epochs(request.recipe, seconds, settings, progress, began, dry_run=True)
    if "weights" in job.transfer:  # the recipe names them only by their digest
        settings = replace(settings, weights=Path(job.transfer["weights"]["file"]))
    return job.recipe, settings


def _wishes(request: Request) -> "Wishes":
    from hundredfold import planner

    changes = {key: value for key, value in request.changes.items() if key != "data"}
    size = Size.of(request.recipe.data.options.get("size", 0) if request.sized else 0)
    return planner.Wishes(str(request.recipe.data), changes, request.sets, request.files, size)


def _settings(request: Request, command: str) -> "Options":
    from hundredfold import training

    options = request.options
    return training.Options(
        request.source,
        device=options["device"],
        devices=options["devices"],
        threads=options["threads"],
        out=options["out"],
        name=options["name"],
        weights=request.weights,
        explicit=request.explicit,
        compiled=options["compile"],
        command=command,
    )


def _progress(request: Request) -> "Progress":
    from hundredfold import training

    return training.Progress(request.display, follower=trackers.choose(request.options["log"]))


def _has_page(trained: run.Run, began: str) -> bool:
    """Return whether a run ended before a time, and has its page: nothing has changed since."""
    ended = str(trained.info.get("finished", ""))
    return "" < ended < began and (trained.folder / reports.PAGE).exists()


def _write_page(trained: run.Run, request: Request) -> None:
    """Write the page; a failure to write it is a warning, since the training is done."""
    try:
        reports.write_run(trained, request.source)
    except (HundredfoldError, OSError) as error:
        text = f"the page of {str(trained.folder)!r} was not written: {error}"
        warnings.warn(text, HundredfoldWarning, stacklevel=2)


def _interactive() -> bool:
    """Return whether Python is interactive: a notebook, IPython or a prompt."""
    if hasattr(sys, "ps1") or sys.flags.interactive:
        return True
    if "IPython" not in sys.modules:
        return False
    from IPython import get_ipython  # only if something else has imported it

    return get_ipython() is not None
