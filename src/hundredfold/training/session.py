"""From a job, or a run to resume, to a finished folder."""

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from hundredfold import evaluation, models, pretrained, run, weights, wording
from hundredfold.errors import (
    CheckError,
    DataError,
    HundredfoldError,
    Interrupted,
    Terminated,
    UsageError,
)
from hundredfold.recipe import Recipe
from hundredfold.run import Run
from hundredfold.training import checkpoint, pace, record
from hundredfold.training.engine import PYTORCH, Engine, Job, Learner
from hundredfold.training.fit import Fit
from hundredfold.training.job import Options, job_facts
from hundredfold.training.pace import Pace
from hundredfold.training.progress import Progress


def train(what: Recipe, options: Options, progress: Progress, engine: Engine = PYTORCH) -> Run:
    """Train a recipe into a new run's folder and return it.

    Nothing is written before recipe, data and model have been found to fit together and the
    disk has room for what the run will leave.
    """
    what = pretrained.settle(what, options.weights, options.source)
    if options.name:  # before minutes are spent on decoding
        run.need_free(options.out, options.name)
    job = engine.prepare(what, options, progress)
    return carry_out(engine.ready(job, options.source.cache, progress), options, progress)


def carry_out(job: Job, options: Options, progress: Progress, rhythm: Pace | None = None) -> Run:
    """Train a job that is ready into a new run's folder. rhythm: keeps to a budget of time."""
    learner, digest = job.learner(), job.recipe.digest
    name = options.name or run.default_name(job.recipe, job.data.name)
    remedy = "free some space, or choose another --out"
    run.need_room(options.out, most_bytes(job, learner), remedy)
    info = record.start(name, digest, job_facts(job))
    if rhythm:
        info["pace"] = rhythm.to_json()
    contents = {"run.json": info, "model.json": _model_facts(job.summary)}
    made = run.create(options.out, name, job.recipe, contents)
    with made.writer():
        return _fit(made, job, learner, progress, None, rhythm)


def resume(made: Run, options: Options, progress: Progress, engine: Engine = PYTORCH) -> Run:
    """Go on with a run from its newest save, to the same last bit on the same machine.

    The data are looked for where they lay, and as many threads compute, unless the options
    say otherwise. Scores of former weights are removed. Raises UsageError for a run that is
    done or whose recipe was changed, and DataError where the data are others.
    """
    with made.writer():
        info = made.info
        if info["status"] == "done":
            raise UsageError(
                f"the run {str(made.folder)!r} is finished; there is nothing to resume",
                remedy=f"hundredfold evaluate {made.folder} --split test",
            )
        _need_same_recipe(made, info["recipe_digest"])
        saved = checkpoint.load(made.folder / "state", progress.say)
        options = _as_before(options, info)
        pretrained.settle(made.recipe, options.weights, options.source)
        job = engine.prepare(made.recipe, options, progress, info)
        _need_same_state(made, saved, info["data"]["digest"], job)
        job = engine.ready(job, options.source.cache, progress)
        made.forget_scores()
        made.sweep()
        made.save_info(info | {"threads": job.threads})
        kept = pace.restore(job, info["pace"]) if "pace" in info else None
        return _fit(made, job, job.learner(), progress, saved, kept)


def _need_same_recipe(made: Run, digest: str) -> None:
    if made.recipe.digest != digest:
        raise UsageError(
            f"the recipe of {str(made.folder)!r} is not the one that it began with",
            found=f"digest {made.recipe.digest[:12]} instead of {digest[:12]}",
            remedy="put it back, or train the other one as a new run",
        )


def _need_same_state(made: Run, saved: checkpoint.Saved | None, digest: str, job: Job) -> None:
    """Raise DataError where the data are others, CheckError where the state is another run's."""
    if job.data.digest != digest:
        raise DataError(
            f"the data are not those that {str(made.folder)!r} was trained on",
            found=f"digest {job.data.digest[:12]} instead of {digest[:12]}",
            remedy="--data-dir with the former data, or a new run",
        )
    if saved and saved.position.get("recipe") != made.recipe.digest:
        raise CheckError(
            f"the state in {str(made.folder)!r} is that of another recipe",
            remedy="put the run's own state back, or train again under another --name",
        )


def _as_before(options: Options, info: dict[str, Any]) -> Options:
    """Fill in where data and weights lay and how many threads computed when the run began."""
    source, folder = options.source, info["data"]["folder"]
    if source.folder is None and folder:
        source = replace(source, folder=Path(folder))
    weights, former = options.weights, info.get("weights")
    if weights is None and former:
        weights = Path(former["file"])
    threads = options.threads or int(info["threads"])
    compiled = bool(info.get("compiled"))
    return replace(options, source=source, weights=weights, threads=threads, compiled=compiled)


def _fit(
    made: Run,
    job: Job,
    learner: Learner,
    progress: Progress,
    saved: checkpoint.Saved | None,
    rhythm: Pace | None,
) -> Run:
    fit = Fit(made, job.recipe, learner, job.feed, job.validation, progress, rhythm)
    with _recorded(made, job, fit, progress), job.feed:
        made.save_info(made.info | {"status": "running", "reason": ""})
        progress.log_to(made.log)
        progress.say(f"run        {made.folder}")
        fit.restore(saved)
        if saved:
            progress.say(f"resumed    in epoch {fit.position.epoch + 1}, step {fit.position.step}")
        _say_plan(job, progress)
        reason = fit()
        _keep_weights(made, job, fit)
        _score(made, job, fit)
        _note(made, fit, "done", reason)
        _say_result(made, fit, progress, reason)
    return made


def _say_plan(job: Job, progress: Progress) -> None:
    what = job.recipe
    patience = f"; stops after {what.patience} without a better {what.select}"
    progress.say(
        f"plan       up to {what.epochs:g} epochs of {job.feed.steps} steps of {what.batch_size}"
        f"{patience if what.patience and what.select != 'last' else ''}"
    )


def most_bytes(job: Job, learner: Learner) -> int:
    """Return what a run takes of the disk at the most: saves, weights and logits.

    weights/best and last, the best twice in state/; KEPT saves, and one that is written.
    """
    kept = learner.weights()
    logits_bytes = 4 * len(job.validation.indices) * len(job.data.classes)
    saves = (checkpoint.KEPT + 1) * checkpoint.room(learner.tensors(), {})
    return saves + 5 * weights.size(kept) + logits_bytes


@contextmanager
def _recorded(made: Run, job: Job, fit: Fit, progress: Progress) -> Iterator[None]:
    """Leave a true status and the best weights whatever ends the training."""
    again = f"hundredfold train --resume {made.folder}"
    try:
        yield
    except KeyboardInterrupt as error:
        number = signal.SIGTERM if isinstance(error, Terminated) else signal.SIGINT
        told = Interrupted("stopped; it can be resumed", signal_number=number, remedy=again)
        _leave(made, job, fit, "stopped", told)
        raise told from None
    except OSError as error:
        where = f": {str(error.filename)!r}" if error.filename else ""
        words = f"the run cannot be written: {error.strerror or error}{where}"
        failure = CheckError(words, remedy=f"make room or mend it, then {again}")
        _leave(made, job, fit, "failed", failure)
        raise failure from error
    except HundredfoldError as error:
        _leave(made, job, fit, "stopped" if isinstance(error, Interrupted) else "failed", error)
        raise
    except BaseException as error:
        _note(made, fit, "failed", f"{type(error).__name__}: {error}")
        raise
    finally:
        progress.close()


def _leave(made: Run, job: Job, fit: Fit, status: str, why: HundredfoldError) -> None:
    """Write status and weights; what a full disk takes no more joins what is told."""
    try:
        _note(made, fit, status, why.message)
        _keep_weights(made, job, fit)
    except OSError as error:
        missed = f"nor could the status and the weights: {error.strerror or error}"
        why.found = "; ".join(filter(None, (why.found, missed)))


def _keep_weights(made: Run, job: Job, fit: Fit) -> None:
    """Write weights/best, and weights/last where it is finite."""
    metadata = {
        "format": "hundredfold 1",
        "model": job.recipe.model,
        "classes": json.dumps(job.data.classes, ensure_ascii=False),
        "size": str(job.data.size),
        "recipe_digest": job.recipe.digest,
        "data_digest": job.data.digest,
    }
    last = fit.learner.weights()
    finite = all(t.isfinite().all() for t in last.values() if t.is_floating_point())
    if finite:
        ended = metadata | {"epoch": str(fit.position.epoch)}
        weights.write(made.last(), last, ended)
    if fit.best.weights:
        best = metadata | {"epoch": str(fit.best.epoch)}
        weights.write(made.best(), fit.best.weights, best)


def _score(made: Run, job: Job, fit: Fit) -> None:
    """Score the best weights on the validation images, if there are any, in fp32."""
    if not len(job.validation):
        return
    split = job.validation
    found = fit.learner.final(fit.best.weights, split.pixels, split.indices)
    made.save_logits("validation", found, split.labels[split.indices], split.indices)
    evaluation.score(made, "validation")


def _note(made: Run, fit: Fit, status: str, reason: str) -> None:
    made.save_info(made.info | record.end(fit, status, reason))


def _say_result(made: Run, fit: Fit, progress: Progress, reason: str) -> None:
    score = made.scores.get("validation.top_1")
    words = "no validation images were kept back"
    if score:
        words = (
            f"best epoch {fit.best.epoch}: "
            f"{score['value']:.2%} of {score['n']:,} validation images right "
            f"(95 % interval {score['low']:.2%} to {score['high']:.2%})"
        )
    progress.say(f"done       {reason}, {wording.seconds(fit.position.seconds)}; {words}")
    progress.say(f"next       hundredfold evaluate {made.folder} --split test")


def _model_facts(summary: models.Summary) -> dict[str, Any]:
    facts = summary.as_json()
    return {"rows": facts.pop("layers"), **facts}
