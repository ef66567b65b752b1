"""Train from Python: keywords become a recipe, the recipe chooses its engine."""

import signal
import sys
import time
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from hundredfold import machine, reports, run
from hundredfold.api.options import TrainOptions, call_text
from hundredfold.api.request import Request, read
from hundredfold.api.runs import Run
from hundredfold.errors import HundredfoldError, HundredfoldWarning, Interrupted, UsageError
from hundredfold.events import shown_progress

if TYPE_CHECKING:  # torch takes a second: it is loaded when training is about to begin
    from hundredfold.training import Options, Progress
    from hundredfold.training.protocols import Job
    from hundredfold.training.time_budget import TimeBudget


def train(recipe: str = "", /, **options: Unpack[TrainOptions]) -> Run:
    """Train an image classifier and return its run.

    recipe: one that ships ("simple-cnn") or a .toml file; none is Keras' defaults: a simple
        CNN, Adam, batches of 128, early stopping with patience 25.
    options: the flags of `hundredfold train`, with _ for -. Fields of the recipe win over the
        recipe's own: epochs=5, model="resnet(depth=20)".
    data: the name of a data set, a folder of images, a pair of uint8 images (n, height, width,
        3) and n labels, a DataFrame with the columns `image` and `label`, a torch Dataset of
        (image, label), or a dictionary of these by part, {"train": ..., "test": ...}.
    progress: "auto" shows progress in a notebook, and on stderr where that is a terminal;
        "none" shows nothing; a function gets each event as a dictionary.

    The page report.html is written at the end. An interrupt saves: in a notebook or another
    interactive session the run is returned with the status "stopped", elsewhere Interrupted is
    raised; `train(resume=run.folder)` goes on. Raises UsageError, DataError, MissingError or
    CheckError, each with a remedy and the exit code that the command would have.
    """
    try:
        return begin(recipe, options, call_text("train", recipe, options))
    except Interrupted as stopped:
        by_hand = stopped.exit_code == 128 + signal.SIGINT
        if stopped.run is None or not (by_hand and _interactive()):
            raise
        return Run(stopped.run)


def begin(recipe: str, options: Mapping[str, Any], command: str) -> Run:
    """Train as `train` does. command: what run.json records, a call or a command line."""
    began = time.monotonic()
    machine.wait_briefly()
    request = read(recipe, options)
    with shown_progress(request.display is not None):
        made = _train(request, command, began)
        _write_page(made, request)
    own = request.recipe.model.own
    return Run(made.folder, model=own.value if own else None, trusted=request.recipe.trusted)


def estimate(recipe: str = "", /, **options: Unpack[TrainOptions]) -> dict[str, Any]:
    """Return what a training would take: seconds, bytes, steps, parameters; write nothing."""
    began = time.monotonic()
    request = read(recipe, options)
    if request.begun:
        raise UsageError("what is left of a run that is resumed cannot be estimated")
    from hundredfold import training
    from hundredfold.engines import engine_for

    settings, progress, what = _settings(request, ""), _progress(request), request.recipe
    with shown_progress(request.display is not None):
        if request.options["budget"]:
            job, _ = _plan(request, settings, progress, began, dry_run=True)
            what = job.recipe
            if "weights" in job.transfer:  # the recipe names them by their digest alone
                settings = replace(settings, weights=Path(job.transfer["weights"]["file"]))
        return training.estimate(what, settings, progress, engine_for(what))


def _train(request: Request, command: str, began: float) -> run.Run:
    from hundredfold import training
    from hundredfold.engines import engine_for

    settings, progress = _settings(request, command), _progress(request)
    engine = engine_for(request.recipe)
    if request.begun:
        return training.resume(request.begun, settings, progress, engine)
    if request.options["budget"]:
        job, time_budget = _plan(request, settings, progress, began)
        return training.train_job(job, settings, progress, time_budget)
    return training.train(request.recipe, settings, progress, engine)


def _plan(
    request: Request,
    settings: "Options",
    progress: "Progress",
    began: float,
    *,
    dry_run: bool = False,
) -> "tuple[Job, TimeBudget | None]":
    from hundredfold import planner

    seconds = planner.parse_duration(request.options["budget"])
    own = request.recipe if request.chosen else None
    changes = dict(request.changes)
    return planner.plan(own, changes, seconds, settings, progress, began, dry_run=dry_run)


def _settings(request: Request, command: str) -> "Options":
    from hundredfold import training

    options = request.options
    return training.Options(
        request.source,
        device=options["device"],
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

    return training.Progress(request.display)


def _write_page(made: run.Run, request: Request) -> None:
    """Write the page; what keeps it from being written does not undo a training."""
    try:
        reports.write_run(made, request.source)
    except (HundredfoldError, OSError) as error:
        text = f"the page of {str(made.folder)!r} was not written: {error}"
        warnings.warn(text, HundredfoldWarning, stacklevel=2)


def _interactive() -> bool:
    """Tell whether a person types at this Python: a notebook, IPython or its own prompt."""
    if hasattr(sys, "ps1") or sys.flags.interactive:
        return True
    if "IPython" not in sys.modules:
        return False
    from IPython import get_ipython  # only where it has been loaded

    return get_ipython() is not None
