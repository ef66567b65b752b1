"""Give a backbone the weights that it begins with."""

from pathlib import Path
from typing import Any

from hundredfold import spec
from hundredfold.data import Source
from hundredfold.errors import UsageError
from hundredfold.models.transfer import Transfer
from hundredfold.recipe import Recipe
from hundredfold.weights.load import fill
from hundredfold.weights.locate import locate


def begin(model: Transfer, what: Recipe, given: Path | None, source: Source) -> dict[str, Any]:
    """Give the backbone its weights; return what run.json says of them.

    Raises MissingError where they are nowhere or wrong, and UsageError for augmentation
    that a frozen backbone would never see.
    """
    made = spec.parse(what.model)
    if model.frozen and (model.views > 1) != bool(what.augment):
        raise UsageError(
            f"a frozen backbone with views={model.views} and augment={what.augment!r}",
            found="the first view is the images as they are, each further one is augmented",
            remedy="--set model.views=4 with --augment flip, or views=1 with --augment none",
        )
    if model.frozen and not what.resolution.startswith("full"):
        raise UsageError("a frozen backbone has one resolution", remedy="--resolution full")
    if model.start != "drawn" and not what.validation:
        raise UsageError(
            f"start={model.start!r} chooses its strength by validation, and validation = 0",
            remedy="--set model.start='drawn', or --set validation=0.1",
        )
    file = locate(str(made.options["backbone"]), given, source)
    fill(model, made, file)
    return {"file": str(file.absolute()), "sha256": made.options["weights"]}
