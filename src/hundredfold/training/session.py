"""From a job, or a run to resume, to a finished folder."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from hundredfold import evaluation, files, models, run, wording
from hundredfold.errors import DataError, HundredfoldError, Interrupted, UsageError
from hundredfold.inference import load_weights, logits
from hundredfold.recipe import Recipe
from hundredfold.run import Run
from hundredfold.training import checkpoint, pace, record
from hundredfold.training.fit import Fit
from hundredfold.training.job import Job, Options, job_facts, prepare
from hundredfold.training.learner import Learner
from hundredfold.training.pace import Pace
from hundredfold.training.progress import Progress


def train(
    what: Recipe,
    options: Options,
    progress: Progress,
    rhythm: Pace | None = None,
    before: Mapping[str, Any] | None = None,
) -> Run:
    """Train a recipe into a new run's folder and return it.

    rhythm: keeps to a budget of time. before: precision and forms that are chosen already.
    Nothing is written before recipe, data and model have been found to fit together.
    """
    if options.name:  # before minutes are spent on decoding
        run.need_free(options.out, options.name)
    job = prepare(what, options, progress, before)
    learner = job.learner()
    name = options.name or run.default_name(what, job.data.name)
    info = record.start(name, what.digest, job_facts(job))
    made = run.create(options.out, name, what)
    if rhythm:
        info["pace"] = rhythm.to_json()
    with made.writer():
        made.save_info(info)
        files.write_json(made.folder / "model.json", _model_facts(job.summary))
        return _carry_out(made, job, learner, progress, None, rhythm)


def resume(made: Run, options: Options, progress: Progress) -> Run:
    """Go on with a run from its newest save, to the same last bit on the same machine.

    The data are looked for where they lay, and as many threads compute, unless the options
    say otherwise. Scores of former weights are removed. Raises UsageError for a run that is
    done, and DataError where the data are others.
    """
    with made.writer():
        info = made.info
        if info["status"] == "done":
            raise UsageError(
                f"the run {str(made.folder)!r} is finished; there is nothing to resume",
                remedy=f"hundredfold evaluate {made.folder} --split test",
            )
        saved = checkpoint.load(made.folder / "state", progress.say)
        job = prepare(made.recipe, _as_before(options, info), progress, info)
        if job.data.digest != info["data"]["digest"]:
            raise DataError(
                f"the data are not those that {str(made.folder)!r} was trained on",
                found=f"digest {job.data.digest[:12]} instead of {info['data']['digest'][:12]}",
                remedy="--data-dir with the former data, or a new run",
            )
        made.forget_scores()
        made.sweep()
        made.save_info(info | {"status": "running", "reason": "", "threads": job.threads})
        kept = pace.restore(job, info["pace"]) if "pace" in info else None
        return _carry_out(made, job, job.learner(), progress, saved, kept)


def _as_before(options: Options, info: dict[str, Any]) -> Options:
    """Fill in where the data lay and how many threads computed when the run began."""
    source, folder = options.source, info["data"]["folder"]
    if source.folder is None and folder:
        source = replace(source, folder=Path(folder))
    return replace(options, source=source, threads=options.threads or int(info["threads"]))


def _carry_out(
    made: Run,
    job: Job,
    learner: Learner,
    progress: Progress,
    saved: checkpoint.Saved | None,
    rhythm: Pace | None,
) -> Run:
    progress.log_to(made.log)
    progress.say(f"run        {made.folder}")
    what = job.recipe
    fit = Fit(made, what, learner, job.feed, job.validation, progress, rhythm)
    fit.restore(saved)
    if saved:
        progress.say(f"resumed    in epoch {fit.position.epoch + 1}, step {fit.position.step}")
    patience = f"; stops after {what.patience} without a better {what.select}"
    progress.say(
        f"plan       up to {what.epochs:g} epochs of {job.feed.steps} steps of {what.batch_size}"
        f"{patience if what.patience and what.select != 'last' else ''}"
    )
    with _recorded(made, job, fit, progress), job.feed:
        reason = fit()
        _keep_weights(made, job, fit)
        _score(made, job, fit)
        _note(made, fit, "done", reason)
        _say_result(made, fit, progress, reason)
    return made


@contextmanager
def _recorded(made: Run, job: Job, fit: Fit, progress: Progress) -> Iterator[None]:
    """Leave a true status and the best weights whatever ends the training."""
    try:
        yield
    except Interrupted as error:
        _keep_weights(made, job, fit)
        _note(made, fit, "stopped", error.message)
        raise
    except HundredfoldError as error:
        _keep_weights(made, job, fit)
        _note(made, fit, "failed", error.message)
        raise
    except BaseException as error:
        _note(made, fit, "failed", f"{type(error).__name__}: {error}")
        raise
    finally:
        progress.close()


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
        files.write(made.last(), checkpoint.weights_bytes(last, ended))
    if fit.best.weights:
        best = metadata | {"epoch": str(fit.best.epoch)}
        files.write(made.best(), checkpoint.weights_bytes(fit.best.weights, best))


def _score(made: Run, job: Job, fit: Fit) -> None:
    """Score the best weights on the validation images, if there are any, in fp32."""
    if not len(job.validation):
        return
    load_weights(fit.learner.model, dict(fit.best.weights), "memory")
    split = job.validation
    found = logits(fit.learner.model, split.pixels, split.indices, device=job.device)
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
