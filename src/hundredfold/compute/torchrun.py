"""What `torchrun` tells a process by environment variables; this loads no torch."""

import os
from typing import NamedTuple

from hundredfold.errors import UsageError

_NEEDED = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


class Rank(NamedTuple):
    """This process is `rank` of `world`, and `local_rank` of `local_world` on its machine."""

    rank: int
    world: int
    local_rank: int
    local_world: int


def rank() -> Rank | None:
    """Return the rank that torchrun gave this process; None without torchrun, and for one alone."""
    values = [os.environ.get(name, "") for name in _NEEDED]
    if not all(values) or not (values[0].isdecimal() and values[1].isdecimal()):
        return None
    own, world = int(values[0]), int(values[1])
    local = os.environ.get("LOCAL_RANK", ""), os.environ.get("LOCAL_WORLD_SIZE", "")
    if world < 2:
        return None
    local_rank, local_world = (int(t) if t.isdecimal() else 0 for t in local)
    return Rank(own, world, local_rank, local_world or 1)


def refuse(what: str) -> None:
    """Raise UsageError where torchrun has started this process, for what is no training."""
    if placed := rank():
        raise UsageError(
            f"torchrun starts the processes of one training, not of {what}",
            found=f"it has started {placed.world} processes",
            remedy="the same command without torchrun",
        )
