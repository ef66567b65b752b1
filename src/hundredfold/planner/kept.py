"""The best run of a budget: later ones replace it where they are better on validation images."""

from pathlib import Path

from hundredfold import run
from hundredfold.recipe import Recipe
from hundredfold.run import Run


class Kept:
    """Keep one run of several in a folder of runs.

    out: the folder of runs. name: of the run that stays; "" keeps each run's own.
    """

    def __init__(self, out: Path, name: str) -> None:
        self._out, self._name = out, name
        self._latest = ""  # name of the latest run
        self.best: Run | None = None

    def free_name(self, recipe: Recipe, data_name: str) -> str:
        """Return a name for the next run, which no other run has."""
        wanted = self._name or run.default_name(recipe, data_name)
        name, number = wanted, 2
        while (self._out / name).exists():
            name, number = f"{wanted}-{number}", number + 1
        self._latest = name
        return name

    def offer(self, challenger: Run, *, replaces: bool = False) -> bool:
        """Keep the better of two runs, delete the other; return whether it is the challenger.

        replaces: whether the challenger is kept in any case, as it is scored on other images.
        """
        best, self.best = self.best, challenger
        if best is None:
            return True
        better = replaces or accuracy(challenger) > accuracy(best)
        loser = best if better else challenger
        self.best = challenger if better else best
        run.remove(loser)
        return better

    def discard_failed(self) -> None:
        """Delete the latest run if it failed; a run that is not this one's is left alone."""
        folder = self._out / self._latest
        if self._latest and folder.exists() and Run(folder).info.get("status") == "failed":
            run.remove(Run(folder))

    def settle(self) -> Run:
        """Return the best run, with the wanted name, and point `latest` to it."""
        assert self.best is not None
        self.best = run.rename(self.best, self._name or self.best.folder.name)
        return self.best


def accuracy(scored: Run) -> float:
    """Return the accuracy of a run on its validation images; 0 without any."""
    return float(scored.scores.get("validation.top_1", {}).get("value", 0.0))
