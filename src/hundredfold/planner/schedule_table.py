"""The best network and image sizes for a given compute, as a table."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Choice:
    """The best choice from a compute of `macs` on.

    macs: multiply-accumulates of forward passes per training image, over all epochs. width: of a
    speednet. shares, until: of `progressive` resolution.
    """

    macs: float
    width: float
    shares: tuple[float, ...]
    until: tuple[float, ...]


# docs/speed.md has the measurements, and says which of these are guesses.
SCHEDULE_TABLE = (
    Choice(0.0, 0.25, (0.5, 0.625, 0.75), (0.3, 0.6, 0.8)),
    Choice(0.12e9, 0.5, (0.5, 0.625, 0.75), (0.2, 0.5, 0.75)),
    Choice(0.7e9, 1.0, (0.625, 0.75), (0.15, 0.5)),
    Choice(3.0e9, 1.5, (0.625, 0.75), (0.15, 0.5)),
    Choice(10.0e9, 2.0, (0.625, 0.75), (0.15, 0.5)),
)


def choice_for(macs: float) -> Choice:
    """Return the choice for `macs` multiply-accumulates per training image, over all epochs."""
    affordable = [choice for choice in SCHEDULE_TABLE if choice.macs <= macs]
    return max(affordable, key=lambda choice: choice.macs)
