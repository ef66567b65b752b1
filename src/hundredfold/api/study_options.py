"""The keywords of `study`, which are also the flags of its command line."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from hundredfold.api.options import File, RecipeFields, Tracker
from hundredfold.displays import Progress
from hundredfold.spec import Range, Threads


class StudyOptions(RecipeFields, total=False):
    """Keywords of `study`: the variants, recipe fields of every variant, and command options.

    vary:   label -> the name of a recipe, or recipe fields.
    grid:   recipe field -> values, in every combination.
    base:   the recipe that the variants change.
    seeds:  number of trainings per variant.
    folds:  of cross-validation, 0 without: each seed has as many trainings.
    metric: the score that is compared.
    jobs:   number of concurrent trainings, which divide the threads.
    log:    experiment trackers of every training.
    cluster: where to train: "auto" (RAY_ADDRESS, or the Ray cluster here), "local" (a Ray cluster
            for this call alone), HOST:PORT of a Ray cluster, or "slurm".
    cpus_per_run, gpus_per_run: of a training on a cluster; a fraction shares a GPU.
    shared: a folder that every node sees; there a lost node's run is resumed from its save.
    insecure: use a Ray cluster on other machines without authentication.
    """

    vary: Mapping[str, str | Mapping[str, Any]] | None
    grid: Mapping[str, Iterable[Any]] | None
    base: str
    seeds: Annotated[int, Range(1, 1000)] | None
    folds: Annotated[int, Range(0, 1000)] | None
    metric: str
    name: str
    jobs: Annotated[int, Range(1, 256)]
    log: Tracker | Iterable[Tracker] | None
    cluster: str | None
    cpus_per_run: Annotated[int, Range(1, 4096)] | None
    gpus_per_run: Annotated[float, Range(0, 64)] | None
    shared: File | None
    insecure: bool
    data_dir: File | None
    weights: File | None
    out: File
    device: str
    threads: Threads
    quick: bool
    trust: Iterable[File] | None
    progress: Progress
