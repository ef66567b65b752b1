"""Choose the executor that a user names, and refuse options that it would ignore."""

from dataclasses import dataclass
from pathlib import Path

from hundredfold.errors import UsageError
from hundredfold.executors.local import Local
from hundredfold.executors.protocol import Executor
from hundredfold.executors.ray import Ray
from hundredfold.executors.ray_address import AUTO, LOCAL, need_address
from hundredfold.executors.slurm import Slurm

SLURM = "slurm"


@dataclass(frozen=True)
class Place:
    """Where jobs shall run, as a user says it.

    cluster:  "" is this machine; "auto", "local", HOST:PORT of a Ray cluster, or "slurm".
    jobs:     how many run concurrently on this machine.
    cpus:     of one run on a cluster, at least 1; 0 leaves it to the cluster: 1.
    gpus:     of one run on a cluster; a fraction shares a GPU between runs.
    shared:   a folder that every node sees.
    insecure: whether a Ray cluster beyond this machine may be without authentication.
    """

    cluster: str = ""
    jobs: int = 1
    cpus: int = 0
    gpus: float = 0.0
    shared: Path | None = None
    insecure: bool = False

    @property
    def threads(self) -> int:
        """The threads of one run on a cluster; 0 on this machine, where the user says them."""
        return max(1, self.cpus) if self.cluster else 0


def choose(place: Place) -> Executor:
    """Return the executor of a place; connect to nothing.

    Raises UsageError for an unknown cluster, and for options that do nothing there.
    """
    if not place.cluster:
        _refuse(place, "--cluster", ("cpus", "gpus", "shared", "insecure"))
        return Local(place.jobs)
    if place.jobs != 1:
        raise UsageError(
            "--jobs is for this machine; a cluster runs as many as it has room for",
            remedy="--cpus-per-run, which says how much room a run takes",
        )
    if place.gpus > 1 and place.gpus != int(place.gpus):
        raise UsageError(
            f"a run takes a part of one GPU or whole ones, not {place.gpus:g}",
            remedy=f"--gpus-per-run 0.5 or {int(place.gpus)}",
        )
    if place.cluster == SLURM:
        _refuse(place, "a Ray cluster", ("insecure",))
        if place.gpus != int(place.gpus):
            raise UsageError(
                f"SLURM gives whole GPUs, not {place.gpus:g}", remedy="--gpus-per-run 1"
            )
        return Slurm(place.threads, int(place.gpus), _shared(place))
    if place.cluster not in (AUTO, LOCAL):
        need_address(place.cluster)
    return Ray(place.cluster, place.threads, place.gpus, _folder(place.shared), place.insecure)


def _refuse(place: Place, whose: str, names: tuple[str, ...]) -> None:
    flags = {"cpus": "--cpus-per-run", "gpus": "--gpus-per-run"}
    for name in names:
        if getattr(place, name):
            flag = flags.get(name, f"--{name}")
            raise UsageError(f"{flag} is for {whose}", remedy=f"the same command without {flag}")


def _folder(shared: Path | None) -> Path | None:
    if shared is not None and not shared.is_dir():
        raise UsageError(f"--shared {str(shared)!r} is not a folder", remedy=f"mkdir -p {shared}")
    return shared


def _shared(place: Place) -> Path:
    folder = _folder(place.shared)
    if folder is None:
        raise UsageError(
            "SLURM needs a folder that every node sees", remedy="--shared DIR, such as one in /home"
        )
    return folder
