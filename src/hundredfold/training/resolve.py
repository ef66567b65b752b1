"""Adapt a recipe to its data: settings that change, are refused, and are recorded."""

import hashlib
import json
import math
from typing import Any

from hundredfold import data
from hundredfold.data import DataSet, Source
from hundredfold.errors import DataError, UsageError
from hundredfold.recipe import Recipe
from hundredfold.size import NO_SIZE, Size
from hundredfold.strategies import Strategy
from hundredfold.training.options import Options
from hundredfold.training.progress import Progress
from hundredfold.training.protocols import Job
from hundredfold.weights.locate import WeightsFile, run_size

_BACKBONE = 224  # pixels that the published weights of backbones were trained on
_STEPS = 4  # per epoch at least, where the batch size follows the size of the data set
_ADAPTED = ("batch_size", "epochs")  # fields that follow the number of images
_LEAST = 100  # steps of a training at least, where its epochs follow the batch size


def refuse_inert(recipe: Recipe, options: Options) -> None:
    """Raise UsageError for a field that the user has set and the training would ignore."""
    if recipe.patience and recipe.select == "last" and "patience" in options.explicit:
        raise UsageError(
            f"patience = {recipe.patience} does nothing where the last epoch is kept",
            found='select = "last"',
            remedy='--patience 0, or --set select="validation.loss"',
        )
    _refuse_no_epochs(recipe)


def _refuse_no_epochs(recipe: Recipe) -> None:
    strategy: Strategy = recipe.strategy.resolve()()
    if not recipe.epochs and not strategy.fits_head:
        raise UsageError(
            f"epochs = 0 trains nothing with the strategy {recipe.strategy.name}",
            found="only a head that is fitted to features can do without",
            remedy="--epochs 1, or --strategy \"linear_probe(head='logistic')\"",
        )


def open_data(
    recipe: Recipe, weights: WeightsFile | None, source: Source
) -> tuple[Recipe, DataSet]:
    """Load a recipe's data set; return the recipe with the options of the data spelled out.

    An automatic size of the user's own images is that of the weights, else that of the images.
    Raises UsageError where the user names a folder for a data set that reads none.
    """
    chosen = recipe.data
    if weights is not None and data.sizes_itself(chosen):
        size = strategy_size(recipe) or (run_size(weights.path) if weights.own else NO_SIZE)
        chosen = chosen.with_options({"size": (size or Size.of(_BACKBONE)).plain})
    dataset = data.load(chosen, source)
    data.refuse_folder(dataset, source)
    resolved = {k: v for k, v in dataset.resolved.items() if chosen.options.get(k) != v}
    chosen = chosen.with_options(resolved) if resolved else chosen
    return (recipe if chosen == recipe.data else recipe.override({"data": chosen})), dataset


def strategy_size(recipe: Recipe) -> Size:
    """Return the size to which a strategy resizes images; 0 leaves it to the images."""
    return Size.of(recipe.strategy.options.get("input_size", 0))


def fit_batch(recipe: Recipe, dataset: DataSet, options: Options, progress: Progress) -> Recipe:
    """Return the recipe with a batch size of at most the number of training images.

    A batch size that the user has set stays, and the feed refuses it. Any other that is too large
    becomes the largest power of two with four steps per epoch. Epochs become at least 100 steps
    then, unless the user has set them or a limit of images.
    """
    images = count_images(recipe, dataset)
    if recipe.batch_size <= images or "batch_size" in options.explicit:
        return recipe
    size = max(min(2, images), 1 << max(images // _STEPS, 1).bit_length() - 1)
    progress.say(
        f"batch      {size} images, not {recipe.batch_size}: there are {images} to train on"
    )
    epochs = math.ceil(_LEAST / max(images // size, 1))
    if "epochs" in options.explicit or recipe.limit or recipe.epochs >= epochs:
        return recipe.override({"batch_size": size})
    progress.say(
        f"epochs     {epochs}, not {recipe.epochs:g}: that is {_LEAST} steps, which training needs"
    )
    return recipe.override({"batch_size": size, "epochs": epochs})


def count_images(recipe: Recipe, dataset: DataSet) -> int:
    """Return how many images a recipe trains on."""
    split, _ = data.split(dataset, recipe)
    return min(len(split), recipe.limit) if recipe.limit else len(split)


def as_resolved(recipe: Recipe, info: dict[str, Any]) -> Recipe:
    """Return a run's recipe with the batch size and the epochs that run.json records.

    Raises DataError for ones that no training of the recipe has.
    """
    resolved = info.get("resolved") or {}
    epochs = resolved.get("epochs", recipe.epochs)
    longer = "budget" not in info and epochs > max(recipe.epochs, _LEAST)
    if longer or resolved.get("batch_size", 1) > recipe.batch_size:
        raise DataError(
            "run.json has a batch size or epochs that do not follow from the recipe",
            found=f"{epochs:g} epochs, batches of {resolved.get('batch_size', recipe.batch_size)}",
            remedy="put back the file that training wrote",
        )
    return recipe.override({key: resolved.get(key) for key in _ADAPTED})


def resolved_facts(recipe: Recipe, job: Job) -> dict[str, Any]:
    """Return the digest of a recipe as written, and the settings that were resolved.

    resolved: the precision, and batch size and epochs if they were adapted. Runs with equal
    resolved_digest compute the same numbers.
    """
    resolved: dict[str, Any] = {"precision": job.precision}
    adapted = {key: getattr(job.recipe, key) for key in _ADAPTED}
    resolved |= {key: value for key, value in adapted.items() if value != getattr(recipe, key)}
    text = json.dumps([recipe.digest, resolved], sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return {"recipe_digest": recipe.digest, "resolved": resolved, "resolved_digest": digest}
