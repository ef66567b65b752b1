"""The images of a run's splits: where its data are, and which of them a split holds."""

import logging
from dataclasses import replace
from pathlib import Path

from hundredfold import data
from hundredfold.data import DataSet, Source, Split
from hundredfold.errors import DataError, HundredfoldError, UsageError
from hundredfold.run import Run

_LOG = logging.getLogger(__name__)


def source_of(run: Run, folder: Path | None) -> Source:
    """Return the source of a run's data: `folder`, or the folder of training.

    Raises DataError where `folder` is named but does not exist.
    """
    if folder is not None and not folder.exists():
        raise DataError(f"there is no folder {str(folder)!r}", remedy="check --data-dir")
    facts = run.info["data"]
    if folder is None and facts.get("folder"):
        folder = Path(facts["folder"])
    return (Source(folder=folder) if folder else Source()).as_before(facts)


def images(run: Run, split: str, source: Source) -> Split:
    """Return the images of a split of a run's data.

    Raises DataError where they are missing or are not those of the run.
    """
    dataset = data.load(run.recipe.data, source)
    return part_of(run, split, dataset)


def dataset_of(run: Run, split: str, source: Source) -> DataSet | None:
    """Open a run's data; None if they are missing, no folder is named, and logits are stored."""
    stored = run.has_logits(split)
    unnamed = source.folder in (Source().folder, source_of(run, None).folder)
    try:
        dataset = data.load(run.recipe.data, replace(source, offline=source.offline or stored))
    except HundredfoldError as error:
        if not (stored and unnamed):
            raise
        _LOG.warning("warning: using the stored scores: %s", error.message)
        return None
    if not unnamed:
        data.refuse_folder(dataset, source)
    return dataset


def part_of(run: Run, split: str, dataset: DataSet) -> Split:
    """Return a split of a run's data.

    Raises DataError where the class names, or for validation the pixels, are not the run's.
    """
    facts = run.info["data"]
    if list(dataset.classes) != list(facts["classes"]):
        raise DataError(
            f"the classes of {dataset.name!r} are not those of {run.name!r}",
            found=f"{len(dataset.classes)} classes, {len(facts['classes'])} in the run",
            remedy="--data-dir with the data that the run was trained on",
        )
    if split == "validation":
        if dataset.digest != facts["digest"]:
            raise DataError(
                f"the data are not those that {run.name!r} was trained on",
                found=f"digest {dataset.digest[:12]} instead of {facts['digest'][:12]}",
                remedy="--data-dir with the original data",
            )
        cut = data.split(dataset, run.recipe)[1]
        if not len(cut):
            raise UsageError(
                f"{run.name!r} was trained on all images, so it has no validation images",
                remedy="--split test",
            )
        return cut
    if "test" not in dataset.parts:
        raise DataError(
            f"{dataset.name!r} has no test images",
            remedy="a folder 'test' beside 'train', train with --test 0.1, or --split validation",
        )
    return dataset.parts["test"]()
