"""End a training: write weights, scores and status, whatever ends it."""

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from hundredfold import data, evaluation, machine, metrics, wording
from hundredfold.errors import CheckError, HundredfoldError, Interrupted, Terminated
from hundredfold.run import Run, surplus
from hundredfold.shortage import is_shortage, shortage
from hundredfold.training import record
from hundredfold.training.early_stopping import Best
from hundredfold.training.loop import Loop
from hundredfold.training.progress import Progress
from hundredfold.training.protocols import Job
from hundredfold.weights import files as weight_files


def finish(run: Run, job: Job, loop: Loop, progress: Progress, reason: str) -> None:
    """Write the weights and validation scores of a training that came to its end.

    Saves are then removed, as a finished run is not resumed.
    """
    _keep_weights(run, job, loop)
    _score(run, job, loop)
    _note(run, loop, "done", reason)
    with suppress(OSError):  # the run is complete anyway
        run.delete_state()
    spent = wording.seconds(loop.position.seconds)
    progress.say(f"done       {reason}, {spent}; {_result(run)}")
    split = "test" if "test" in job.data.parts else "validation"
    progress.say(f"next       hundredfold evaluate {run.folder} --split {split}")


def report_finished(run: Run, progress: Progress) -> None:
    """Log that a run was finished before, and its score."""
    progress.say(f"run        {run.folder}")
    progress.say(f"done       finished, nothing to do; {_result(run)}")


@contextmanager
def recorded(run: Run, job: Job, loop: Loop, progress: Progress) -> Iterator[None]:
    """Write status and best weights to the run, whatever ends the training within."""
    remedy = f"hundredfold train --resume {run.folder}"
    try:
        yield
    except KeyboardInterrupt as error:
        number = signal.SIGTERM if isinstance(error, Terminated) else signal.SIGINT
        message = "stopped; it can be resumed"
        interrupted = Interrupted(message, signal_number=number, remedy=remedy)
        interrupted.run = run.folder
        _leave(run, job, loop, "stopped", interrupted)
        raise interrupted from None
    except OSError as error:
        if is_shortage(error):
            _note(run, loop, "failed", str(error))
            raise shortage(error) from error
        where = f": {str(error.filename)!r}" if error.filename else ""
        message = f"the run cannot be written: {error.strerror or error}{where}"
        failure = CheckError(message, remedy=f"make room or fix it, then {remedy}")
        _leave(run, job, loop, "failed", failure)
        raise failure from error
    except HundredfoldError as error:
        if isinstance(error, Interrupted):
            error.run = run.folder
        _leave(run, job, loop, "stopped" if isinstance(error, Interrupted) else "failed", error)
        raise
    except BaseException as error:
        _note(run, loop, "failed", f"{type(error).__name__}: {error}")
        if is_shortage(error):
            raise shortage(error) from error
        raise
    finally:
        progress.close()


def end_facts(loop: Loop, status: str, reason: str) -> dict[str, Any]:
    """Return the facts for run.json at the end of training."""
    position = loop.position
    seconds = max(position.seconds, 1e-9)
    return {
        "status": status,
        "reason": reason,
        "finished": record.now(),
        "best_epoch": loop.best.epoch,
        "epochs": position.epoch,
        "steps": min(position.done, position.steps),
        "micro_batch": loop.learner.micro_batch,
        "seconds": round(position.seconds, 3),
        "images_per_second": round(loop.images_per_second(), 1),
        "waiting_share": round(position.waited / seconds, 4),
        "saving_share": round(position.saving / seconds, 4),
        "peak_memory_bytes": machine.peak_memory(),
    }


def _leave(run: Run, job: Job, loop: Loop, status: str, error: HundredfoldError) -> None:
    """Write status and weights; a failure to do so is added to the error's text."""
    try:
        _note(run, loop, status, error.message)
        _keep_weights(run, job, loop)
    except OSError as second:
        also = f"nor could the status and the weights: {second.strerror or second}"
        error.found = "; ".join(filter(None, (error.found, also)))


def keep_best(run: Run, job: Job, best: Best) -> None:
    """Write weights/best."""
    weight_files.write(run.best(), best.weights, _metadata(run, job) | {"epoch": str(best.epoch)})


def _keep_weights(run: Run, job: Job, loop: Loop) -> None:
    """Write weights/best if there are any, and weights/last if they are finite."""
    last = loop.learner.weights()
    if all(t.isfinite().all() for t in last.values() if t.is_floating_point()):
        metadata = _metadata(run, job) | {"epoch": str(loop.position.epoch)}
        weight_files.write(run.last(), last, metadata)
    if loop.best.weights:
        keep_best(run, job, loop.best)
        surplus.link_equal_weights(run)


def _metadata(run: Run, job: Job) -> dict[str, str]:
    """Return the metadata of a file of weights: what a reader needs beside the recipe."""
    return {
        "format": "hundredfold 1",
        "model": str(job.recipe.model),
        "strategy": job.recipe.strategy.name,
        **_weights_facts(job),
        "classes": json.dumps(job.data.classes, ensure_ascii=False),
        "size": str(job.data.size),
        "recipe_digest": run.recipe.digest,
        "data_digest": job.data.digest,
    }


def _weights_facts(job: Job) -> dict[str, str]:
    """Return metadata that a pretrained network needs beside its recipe to be rebuilt."""
    weights = job.transfer.get("weights", {})
    return {key: str(weights[key]) for key in ("layout", "input_size") if key in weights}


def _score(run: Run, job: Job, loop: Loop) -> None:
    """Score the best weights on the validation images, if there are any, in fp32."""
    split = job.validation
    if not len(split):
        return
    logits = loop.learner.final(loop.best.weights, split.pixels, split.indices)
    _, split = data.split(job.data, run.recipe)  # the job's may hold features
    evaluation.store_validation(run, split, logits, job.data.classes)
    evaluation.score(run, "validation")
    evaluation.write_predictions(run, "validation", split, job.data)


def _note(run: Run, loop: Loop, status: str, reason: str) -> None:
    info = {key: value for key, value in run.info.items() if key != "writer"}
    run.save_info(info | end_facts(loop, status, reason))


def _best_epoch(run: Run) -> str:
    epoch = run.info["best_epoch"]
    return f"best epoch {epoch}" if epoch else "best as it was fitted"


def _result(run: Run) -> str:
    score = run.scores.get("validation.top_1")
    if not score:
        return "no validation images were kept back"
    return (
        f"{_best_epoch(run)}: "
        f"accuracy {score['value']:.2%} on {score['n']:,} validation images "
        f"(95 % interval {score['low']:.2%} to {score['high']:.2%}){_balanced(run)}"
    )


def _balanced(run: Run) -> str:
    """Return the balanced accuracy where one class holds more than half of the images."""
    balanced = run.scores.get("validation.balanced_accuracy")
    common = metrics.majority(run.labels("validation"))
    if not balanced or common <= 0.5:
        return ""
    return f"; balanced accuracy {balanced['value']:.2%}: one class has {common:.0%} of the images"
