"""What a training begins with: weights from a file, or from a run with its network."""

from pathlib import Path

from hundredfold import run, spec
from hundredfold.errors import MissingError, UsageError
from hundredfold.recipe import Recipe


def weights(file: Path | None, pretrained: str, out: Path) -> Path | None:
    """Return the file that weights are read from. Raises UsageError where two are named."""
    if file and pretrained:
        raise UsageError("--weights and --pretrained both name weights", remedy="one of them")
    if not pretrained:
        return file
    best = run.open_run(pretrained, out).best()
    if not best.is_file():
        raise MissingError(
            f"the run {pretrained!r} has no weights yet",
            remedy=f"hundredfold train --resume {pretrained}",
        )
    return best


def onto(what: Recipe | None, pretrained: str, out: Path) -> Recipe:
    """Return a recipe whose transfer has a run's network as its backbone."""
    what = what or Recipe(model="transfer")
    if spec.parse(what.model).name != "transfer":
        return what
    made = spec.parse(run.open_run(pretrained, out).recipe.model)
    backbone = str(made.options["backbone"]) if made.name == "transfer" else str(made)
    return what.override({}, [f"model.backbone={backbone!r}"])
