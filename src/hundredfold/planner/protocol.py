"""What the stages of a budget need of an engine, and what they note of each step."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from hundredfold.planner.candidates import Candidate
from hundredfold.planner.law import Score


class Bench(Protocol):
    """What the stages need of an engine; every method takes the time that it says."""

    def feature_rate(self, size: int) -> float:
        """Return images per second of a backbone's features, measured or extrapolated."""
        ...

    def training_speed(self) -> float:
        """Return multiply-accumulates of forward passes per second of a training from scratch."""
        ...

    def answer(self, candidate: Candidate) -> Score:
        """Fit a head, and keep it as a run."""
        ...

    def trial(self, candidate: Candidate, seconds: float) -> Score | None:
        """Train a candidate for some seconds and forget it; None where it diverges."""
        ...

    def train(self, candidate: Candidate, seconds: float) -> Score | None:
        """Train a candidate as a run, kept where it is better; None where it diverges."""
        ...

    def learning_curve(self) -> Sequence[tuple[int, float]]:
        """Return numbers of images with the accuracy of a head fitted to them."""
        ...


class Line(NamedTuple):
    """A row of the plan: what was done, its score, and the accuracy expected for the end."""

    stage: str
    candidate: Candidate
    score: Score | None
    predicted: float | None = None
