"""Where trainings run: the options that `study` and `tune` share."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


@Parameter(name="*")
@dataclass(frozen=True)
class Place:
    """Where the trainings run."""

    jobs: Annotated[
        int, Parameter(help="Number of runs that train concurrently here; they divide the threads.")
    ] = 1
    cluster: Annotated[
        str,
        Parameter(
            show_default="none",
            help="Train on a cluster: auto (RAY_ADDRESS, or the Ray cluster here), local (a Ray "
            "cluster for this command alone), HOST:PORT of a Ray cluster, or slurm.",
        ),
    ] = ""
    cpus_per_run: Annotated[
        int | None, Parameter(show_default="1", help="CPUs, and threads, of a run on a cluster.")
    ] = None
    gpus_per_run: Annotated[
        float | None,
        Parameter(show_default="0", help="GPUs of a run on a cluster; 0.5 lets two share one."),
    ] = None
    shared: Annotated[
        Path | None,
        Parameter(
            show_default="none",
            help="A folder that every node sees: there a lost node's run is resumed from its save.",
        ),
    ] = None
    insecure: Annotated[
        bool,
        Parameter(help="Use a Ray cluster on other machines without authentication."),
    ] = False


HERE = Place()
