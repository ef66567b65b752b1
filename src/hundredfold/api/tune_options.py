"""The keywords of `tune`, which are also the flags of its command line."""

from collections.abc import Iterable
from typing import Annotated

from hundredfold.api.options import File, RecipeFields
from hundredfold.displays import Progress
from hundredfold.spec import Range, Threads


class TuneOptions(RecipeFields, total=False):
    """Keywords of `tune`: recipe fields of every trial, and command options.

    budget: a time such as "2h" for search and comparison together.
    trials: number of trials at most; one of both, or both, bounds the search.
    space:  a TOML file of the options that vary, instead of the default ones.
    set:    changes of single options of the untuned recipe, such as "optimizer.lr=0.1".
    jobs:   number of concurrent trainings, which divide the threads.
    cluster, cpus_per_run, gpus_per_run, shared, insecure: as in `StudyOptions`.
    """

    budget: str | None
    trials: Annotated[int, Range(1, 10_000)] | None
    space: File | None
    set: list[str] | None
    name: str
    jobs: Annotated[int, Range(1, 256)]
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
    trust: Iterable[File] | None
    progress: Progress
