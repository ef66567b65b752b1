"""`hundredfold train`: one recipe into one run."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console

from hundredfold import recipe, recipes, run
from hundredfold.data import Source, place
from hundredfold.errors import UsageError
from hundredfold.recipe import Recipe
from hundredfold.spec import OwnFiles
from hundredfold.weights.locate import network_of_run, spelled_out


def train(
    recipe_name: Annotated[str, Parameter(name="recipe", allow_leading_hyphen=False)] = "",
    /,
    *,
    engine: str | None = None,
    data: str | None = None,
    data_dir: Path | None = None,
    weights: str | None = None,
    pretrained: str | None = None,
    strategy: str | None = None,
    model: str | None = None,
    augment: str | None = None,
    loss: str | None = None,
    optimizer: str | None = None,
    schedule: str | None = None,
    resolution: str | None = None,
    epochs: float | None = None,
    batch_size: int | None = None,
    patience: int | None = None,
    precision: str | None = None,
    seed: int | None = None,
    sets: Annotated[list[str] | None, Parameter(name="--set", negative="")] = None,
    budget: str = "",
    device: str = "auto",
    threads: int = 0,
    compile: bool = False,
    out: Path = run.RUNS,
    name: str = "",
    resume: str = "",
    quick: bool = False,
    dry_run: bool = False,
    json: bool = False,
) -> dict[str, Any]:
    """Train an image classifier and leave a run's folder.

    Parameters
    ----------
    recipe_name
        A recipe that ships (see `hundredfold recipes`) or a .toml file; none is Keras'
        defaults: a simple CNN, Adam, batch 128, early stopping with patience 25.
    engine
        pytorch, or tensorflow (an extra), whose models are "simple_cnn", "resnet(depth=20)"
        and 'keras_application(name="densenet169")'.
    data
        A data set ("cifar100", "digits") or a folder with your own images.
    data_dir
        Where the data set lies, if not in the cache.
    weights
        What the network begins with: "imagenet", a run, a file of weights, a folder of such
        files, or "none" to draw them at random.
    pretrained
        Another spelling of --weights.
    strategy
        "scratch", "linear_probe(head='ridge')" or "fine_tune(rate=0.1)".
    model
        For example "wrn(depth=16, width=4)"; see `hundredfold models`.
    augment
        For example "pad_crop(pixels=4) | flip"; "none" for none.
    loss
        For example "cross_entropy(label_smoothing=0.1)".
    optimizer
        For example "sgd(lr=0.1)", "adam", "adamw(lr=0.002)".
    schedule
        For example "cosine", "one_cycle(warmup=0.3)", "steps(at=[0.5, 0.75])".
    resolution
        "full", or "progressive" to begin with smaller images.
    epochs
        Passes over the training images at most; 8.75 ends within the ninth.
    batch_size
        Images in a step.
    patience
        Epochs without a better validation loss before training stops; 0 never stops early.
    precision
        auto, fp32 or bf16.
    seed
        Decides the validation cut, the first weights, the order and every random draw.
    sets
        Change one field or one option: --set model.depth=16 --set ema=0.999.
    budget
        A time such as 90s, 5m or 1h: chooses what makes most of it, and ends then. With a
        recipe or a model it chooses the epochs alone. The features of a transfer count; its
        head, where the backbone is frozen, keeps the recipe's epochs.
    device
        auto, cpu, cuda, cuda:1 or mps.
    threads
        Threads to compute with; 0 takes every core. With --resume too, where another number
        may end in other last bits.
    compile
        Let torch.compile fuse the step's kernels, as may pay on a GPU; it needs a compiler
        (Triton, or g++ without a GPU) and takes up to minutes before the first step.
    out
        The folder in which runs are made.
    name
        The run's name; <model>-<data>-<digest> if not given.
    resume
        Go on with an interrupted run, by name or folder.
    quick
        Two epochs on 2,048 images, to see that everything works.
    dry_run
        Say what would be trained, how long it would take and how much disk; write nothing.
    json
        Print one JSON object.
    """
    began = time.monotonic()
    if resume:
        with run.open_run(resume, out).writer():
            pass  # one that another process writes is refused before torch is loaded
    from hundredfold import planner, training
    from hundredfold.engines import engine_for

    progress = training.Progress(Console(stderr=json, highlight=False))
    source = Source(folder=data_dir) if data_dir else Source()
    weights = _weights(weights, pretrained, out)
    options = training.Options(
        source, device=device, threads=threads, out=out, name=name, compiled=compile,
    )  # fmt: skip
    changes = {
        "engine": engine, "data": data, "model": model, "weights": weights,
        "strategy": strategy, "augment": augment, "loss": loss,
        "optimizer": optimizer, "schedule": schedule, "resolution": resolution, "epochs": epochs,
        "batch_size": batch_size, "patience": patience, "precision": precision, "seed": seed,
    }  # fmt: skip
    if resume:
        changed = any(value is not None for value in changes.values())
        if recipe_name or sets or quick or budget or compile or changed:
            raise UsageError(
                "--resume goes on with the run's own recipe, which nothing can change",
                remedy=f"hundredfold train --resume {resume}",
            )
        begun = run.open_run(resume, out)
        return _result(training.resume(begun, options, progress, engine_for(begun.recipe)))
    if data is not None:
        changes["data"], source = place(data, source)
        options = replace(options, source=source)
    what = recipes.load(recipe_name) if recipe_name else Recipe()
    network = network_of_run(weights, out) if weights and not model else None
    if network:
        changes["model"] = str(network)
    files = OwnFiles(trusted=None)
    what = what.override((recipe.QUICK if quick else {}) | _given(changes), sets or (), files)
    if compile and what.engine != "pytorch":
        raise UsageError(
            f"--compile is PyTorch's; {what.engine} compiles every step anyway",
            remedy="the same command without --compile",
        )
    if budget:
        seconds = planner.parse_duration(budget)
        if epochs is not None or quick:
            raise UsageError(
                "--budget chooses the epochs",
                remedy=f"--budget {budget}, without --epochs, --quick",
            )
        if what.engine != "pytorch":
            raise UsageError("--budget is PyTorch's alone", remedy="--epochs instead")
        if compile:
            raise UsageError(
                "--budget does not count the minutes of --compile", remedy="one of them alone"
            )
        own = what if recipe_name or model or weights or sets else None
        asked = (own, _given(changes), seconds, options, progress, began)
        job, time_budget = planner.plan(*asked, dry_run=dry_run)
        if not dry_run:
            return _result(training.train_job(job, options, progress, time_budget))
        what = job.recipe
        if "weights" in job.transfer:  # the recipe names them by their digest alone
            options = replace(options, weights=Path(job.transfer["weights"]["file"]))
    computing = engine_for(what)
    if dry_run:
        return training.estimate(what, options, progress, computing)
    return _result(training.train(what, options, progress, computing))


def _weights(weights: str | None, pretrained: str | None, out: Path) -> str | None:
    if weights is not None and pretrained is not None:
        raise UsageError("--weights and --pretrained are one option", remedy="one of them")
    text = weights if pretrained is None else pretrained
    return None if text is None else spelled_out(text, out)


def _given(changes: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in changes.items() if value is not None}


def _result(made: run.Run) -> dict[str, Any]:
    return {"run": str(made.folder), **made.info, "scores": made.scores}
