"""Options of a training: where and how it runs, independent of the recipe."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hundredfold import run
from hundredfold.data import Source


@dataclass(frozen=True)
class Options:
    """Where data are, on which device to train, and where to write the run.

    device: "auto", "cpu", "cuda", "cuda:1" or "mps". devices: how many compute the training: "" or
    "1" for one, a number, or "all". following: how many processes there are, in one that another
    leads; else 0. threads: of each process; 0 uses every core. out: the folder of runs. name: of
    the run; "" derives one from model, data and digest.
    autotune_seconds: time limit of timing trials of convolutions.
    weights: a file, or a folder of files, with pretrained weights.
    compiled: whether torch.compile compiles the step.
    fast_validation: whether a frozen network computes validation images in the precision of
        training; otherwise in fp32, as later evaluations do.
    held: what the stages of a budget share in memory, an engine's own; None for other trainings.
    explicit: fields of the recipe that the user set in this command or call. One that cannot be
        followed is an error, where a default is adapted.
    command: the command or call for run.json; "" is this process' command line.
    """

    source: Source
    device: str = "auto"
    devices: str = ""
    following: int = 0
    threads: int = 0
    out: Path = run.RUNS
    name: str = ""
    autotune_seconds: float = 30.0
    weights: Path | None = None
    compiled: bool = False
    fast_validation: bool = False
    held: Any = None
    explicit: frozenset[str] = frozenset()
    command: str = ""
