"""Options of one training: where and how it runs; nothing here changes what a recipe means."""

from dataclasses import dataclass
from pathlib import Path

from hundredfold import run
from hundredfold.data import Source


@dataclass(frozen=True)
class Options:
    """Say where data lie, on what device to train, and where the run goes.

    device: "auto", "cpu", "cuda", "cuda:1" or "mps". threads: 0 takes every core.
    name: of the run; "" derives one from model, data and digest.
    autotune_seconds: time that timing trials of convolutions may take, at most.
    weights: a file, or a folder of files, that pretrained weights are read from.
    compiled: whether torch.compile makes the step.
    explicit: fields of the recipe that the user named in this very command or call: one that
        cannot be followed is an error, where a default gives way.
    command: the command or call that run.json records; "" is this process' command line.
    """

    source: Source
    device: str = "auto"
    threads: int = 0
    out: Path = run.RUNS
    name: str = ""
    autotune_seconds: float = 30.0
    weights: Path | None = None
    compiled: bool = False
    explicit: frozenset[str] = frozenset()
    command: str = ""
