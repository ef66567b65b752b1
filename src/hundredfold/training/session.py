"""Train a recipe, or resume a run, into a run's folder."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from hundredfold import data, run
from hundredfold.compute import torchrun
from hundredfold.errors import CheckError, DataError, MissingError, UsageError
from hundredfold.models import Summary
from hundredfold.recipe import Recipe
from hundredfold.run import Run
from hundredfold.run.standing import writer
from hundredfold.training import checkpoint, outcome, record, resolve, time_budget
from hundredfold.training.disk import need_room, run_bytes
from hundredfold.training.loop import Loop
from hundredfold.training.options import Options
from hundredfold.training.position import need_possible
from hundredfold.training.progress import Progress
from hundredfold.training.protocols import Engine, Job, Learner
from hundredfold.training.time_budget import TimeBudget
from hundredfold.weights.locate import WeightsFile


def train(recipe: Recipe, options: Options, progress: Progress, engine: Engine) -> Run:
    """Train a recipe into a new run's folder and return it.

    A finished run of the same recipe, data and name is returned instead. Nothing is written before
    recipe, data and model have been checked and the disk has room for the run. Raises UsageError
    for an engine that is not the recipe's, and for the name of another or an unfinished run.
    """
    _need_engine(recipe, engine)
    resolve.refuse_inert(recipe, options)
    recipe, weights = engine.resolve_weights(recipe, options.source, options.weights)
    recipe, dataset = resolve.open_data(recipe, weights, options.source)
    name = options.name or run.default_name(recipe, dataset.name)
    if finished := _finished(options.out, name, recipe, dataset.digest):
        outcome.report_finished(finished, progress)
        return finished
    fitted = resolve.fit_batch(recipe, dataset, options, progress)
    job = engine.prepare(fitted, options, progress, weights)
    job = engine.compute_features(job, options.source.cache, progress)
    return train_job(job, options, progress, written=recipe)


def train_job(
    job: Job,
    options: Options,
    progress: Progress,
    budget: TimeBudget | None = None,
    written: Recipe | None = None,
) -> Run:
    """Train a prepared job into a new run's folder.

    budget: adapts the steps to a time. written: the recipe for the run's folder; None is the job's.
    """
    learner, written = job.learner(progress), written or job.recipe
    name = options.name or run.default_name(written, job.data.name)
    remedy = "free some space, or choose another --out"
    need_room(options.out, run_bytes(job, learner), remedy)
    info = record.start(name, job, written, options.command)
    if budget:
        info["budget"] = budget.to_json()
    contents = {"run.json": info, "model.json": _model_facts(job.summary)}
    new_run = run.create(options.out, name, written, contents)
    with new_run.writer():
        return _train(new_run, job, learner, progress, None, budget)


def resume(begun: Run, options: Options, progress: Progress, engine: Engine) -> Run:
    """Continue a run from its newest save, to the same bits on the same machine.

    Folder of the data and number of threads are those of the run, unless options set them. Scores
    of earlier weights are removed. Raises UsageError for a run that is finished or whose recipe
    was changed, and DataError for other data.
    """
    _need_engine(begun.recipe, engine)
    with begun.writer():
        info = begun.info
        if info["status"] == "done":
            begun.delete_state()  # a kill may have left saves
            raise UsageError(
                f"the run {str(begun.folder)!r} is finished; there is nothing to resume",
                remedy=f"hundredfold evaluate {begun.folder} --split test",
            )
        _need_same_recipe(begun, info["recipe_digest"])
        saved = checkpoint.load(begun.folder / "state", progress.say)
        options = _as_before(options, info)
        _, weights = engine.resolve_weights(begun.recipe, options.source, options.weights)
        _need_same_weights(weights, info.get("weights"))
        recipe = resolve.as_resolved(begun.recipe, info)
        job = engine.prepare(recipe, options, progress, weights, info)
        data.refuse_folder(job.data, options.source)
        _need_same_state(begun, saved, info["data"]["digest"], job)
        job = engine.compute_features(job, options.source.cache, progress)
        budget = None
        if "budget" in info:
            budget = time_budget.restore(info["budget"], job.image_size, job.feed.steps)
        learner = job.learner(progress)
        _need_fitting_state(begun, saved, job, learner, fixed=budget is None)
        begun.delete_scores()
        begun.remove_temporary_files()
        begun.save_info(info | {"threads": job.threads, "devices": job.devices})
        return _train(begun, job, learner, progress, saved, budget)


def _need_engine(recipe: Recipe, engine: Engine) -> None:
    if recipe.engine != engine.name:
        raise UsageError(
            f"a recipe of the engine {recipe.engine} cannot be trained by {engine.name}"
        )


def _finished(out: Path, name: str, recipe: Recipe, digest: str) -> Run | None:
    """Return the finished run of a name, recipe and data; None where the name is free.

    digest: of the data. Raises UsageError for the name of another or an unfinished run.
    """
    folder = out / name
    if not (folder / "recipe.toml").is_file():
        run.need_free(out, name)
        return None
    begun = Run(folder)
    info, other = begun.info, "--name OTHER for a new run"
    if begun.recipe.digest != recipe.digest:
        raise UsageError(f"the run {str(folder)!r} exists, with another recipe", remedy=other)
    if info.get("data", {}).get("digest") != digest:
        raise UsageError(f"the run {str(folder)!r} exists, of other data", remedy=other)
    if info["status"] == "done":
        return begun
    if info["status"] == "running":
        raise UsageError(f"the run {str(folder)!r} exists, and is being trained", remedy=other)
    raise UsageError(
        f"the run {str(folder)!r} exists, and is not finished",
        found=f"{info['status']}: {info.get('reason', '')}",
        remedy=f"hundredfold train --resume {folder}",
    )


def _need_same_recipe(begun: Run, digest: str) -> None:
    if begun.recipe.digest != digest:
        raise UsageError(
            f"the recipe of {str(begun.folder)!r} is not the one that it began with",
            found=f"digest {begun.recipe.digest[:12]} instead of {digest[:12]}",
            remedy="put it back, or train the other one as a new run",
        )


def _need_same_weights(weights: WeightsFile | None, former: dict[str, str] | None) -> None:
    """Raise MissingError where the run began with other weights."""
    if weights and former and weights.digest and former["sha256"] not in ("", weights.digest):
        raise MissingError(
            f"the weights in {str(weights.path)!r} are not those that the run began with",
            found=f"sha256 {weights.digest}..., not {former['sha256']}...",
            remedy=f"--weights with the former file, which was {former['file']}",
        )


def _need_same_state(begun: Run, saved: checkpoint.Saved | None, digest: str, job: Job) -> None:
    """Raise DataError for other data, and CheckError for the state of another recipe."""
    if job.data.digest != digest:
        raise DataError(
            f"the data are not those that {str(begun.folder)!r} was trained on",
            found=f"digest {job.data.digest[:12]} instead of {digest[:12]}",
            remedy="--data-dir with the former data, or a new run",
        )
    if saved and saved.position.get("recipe") != begun.recipe.digest:
        raise CheckError(
            f"the state in {str(begun.folder)!r} is that of another recipe",
            remedy="put the run's own state back, or train again under another --name",
        )


def _need_fitting_state(
    begun: Run, saved: checkpoint.Saved | None, job: Job, learner: Learner, *, fixed: bool
) -> None:
    """Raise DataError for a state that is not one of this training; the run is as before then."""
    if saved is None:
        return
    need_possible(saved.position, job.feed.steps, job.recipe.epochs, fixed=fixed)
    try:
        learner.load(saved.tensors)
    except (RuntimeError, ValueError, KeyError, IndexError, TypeError) as error:
        raise DataError(
            f"the state in {str(begun.folder)!r} does not fit the network",
            found=" ".join(str(error).split())[:200],
            remedy="train again under another --name",
        ) from None


def _as_before(options: Options, info: dict[str, Any]) -> Options:
    """Fill in the run's paths of data and weights, and its numbers of devices and threads."""
    source = options.source.as_before(info["data"])
    file, former = options.weights, info.get("weights")
    if file is None and former:
        file = Path(former["file"])
    devices = options.devices or str(info.get("devices", 1))
    same = devices == str(info.get("devices", 1))
    threads = options.threads or (int(info["threads"]) if same else 0)
    compiled, fast = bool(info.get("compiled")), bool(info.get("fast_validation"))
    return replace(
        options,
        source=source,
        weights=file,
        threads=threads,
        devices="" if torchrun.rank() else devices,
        compiled=compiled,
        fast_validation=fast,
    )


def _train(
    run: Run,
    job: Job,
    learner: Learner,
    progress: Progress,
    saved: checkpoint.Saved | None,
    budget: TimeBudget | None,
) -> Run:
    fitted = job.strategy.fits_head
    loop = Loop(run, job.recipe, learner, job.feed, job.validation, progress, None, budget, fitted)
    if budget:
        loop.keep = partial(outcome.keep_best, run, job)
    if learner.shared_threads(job.recipe.batch_size) > 1:
        loop.watch = job.watch(progress, loop.remedy, adapts=bool(budget))
    with (
        outcome.recorded(run, job, loop, progress),
        job.feed,
        job.processes(run, learner),
    ):
        run.save_info(run.info | {"status": "running", "reason": "", "writer": writer()})
        progress.log_to(run.log)
        progress.say(f"run        {run.folder}")
        loop.restore(saved)
        progress.begin(run)
        if saved:
            progress.say(
                f"resumed    in epoch {loop.position.epoch + 1}, step {loop.position.step}"
            )
        _report_plan(job, progress)
        reason = loop.train()
        outcome.finish(run, job, loop, progress, reason)
    return run


def _report_plan(job: Job, progress: Progress) -> None:
    recipe = job.recipe
    patience = f"; stops after {recipe.patience} without a better {recipe.select}"
    progress.say(
        f"plan       up to {recipe.epochs:g} epochs of {job.feed.steps} steps of "
        f"{recipe.batch_size}"
        f"{patience if recipe.patience and recipe.select != 'last' else ''}"
    )


def _model_facts(summary: Summary) -> dict[str, Any]:
    facts = summary.as_json()
    return {"rows": facts.pop("layers"), **facts}
