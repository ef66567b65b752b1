"""What a careful reader would ask about these numbers, said before they ask."""

from collections.abc import Iterator

from hundredfold import wording
from hundredfold.reports._evidence import Evidence, Exhibit
from hundredfold.reports._html import tag

FEW_IMAGES = 2000


def notes(evidence: Evidence) -> Exhibit:
    """List what limits what may be concluded from this run."""
    return Exhibit(
        "What to keep in mind",
        tag("ul", {"class": "notes"}, *(tag("li", {}, n) for n in _notes(evidence))),
    )


def _notes(evidence: Evidence) -> Iterator[str]:
    yield (
        f"One seed ({evidence.recipe.get('seed', 0)}). The interval speaks of other images, not of "
        "training once more; three seeds in a study tell how far seeds differ."
    )
    yield from _selection(evidence)
    yield from _test(evidence)
    yield from _circumstances(evidence)


def _selection(evidence: Evidence) -> Iterator[str]:
    select, best = evidence.recipe.get("select", "validation.loss"), evidence.info.get("best_epoch")
    ran, wanted = len(evidence.curve), evidence.recipe.get("epochs", 0)
    if select != "last" and best:
        name = str(select).replace("validation.", "validation ").replace("top_1", "top-1")
        yield (
            f"Epoch {best} was kept because its {name} was best. So the validation score is a "
            "little too good; the test score is not touched by that choice."
        )
    if evidence.info.get("status", "done") == "done" and ran < wanted:
        reason = f": {evidence.info['reason']}" if evidence.info.get("reason") else ""
        yield f"Training stopped after {ran} of at most {wanted} epochs{reason}."


def _test(evidence: Evidence) -> Iterator[str]:
    if evidence.looks > 1:
        yield (
            f"The test split was looked at {wording.times(evidence.looks)}. Every look that leads "
            "to a choice makes the score too good."
        )
    tested = bool(evidence.score("top_1", "test"))
    if evidence.kept_none:
        alone = (
            "the test split is the only measure"
            if tested
            else "there is no score until the test split is opened"
        )
        yield f"All images were trained on, none kept back for validation: {alone}."
    elif not tested:
        yield "No test score yet: the scores here come from the validation images."
    score = evidence.score("top_1")
    if score and score.get("n", FEW_IMAGES) < FEW_IMAGES:
        yield f"The score rests on {wording.count(score['n'])} images, so its interval is wide."


def _circumstances(evidence: Evidence) -> Iterator[str]:
    info = evidence.info
    if evidence.recipe.get("limit"):
        yield f"Only {wording.count(evidence.recipe['limit'])} training images were used (limit)."
    batch = (info.get("resolved") or {}).get("batch_size")
    if batch:
        wanted = evidence.recipe.get("batch_size")
        yield f"Trained in batches of {batch} instead of {wanted}, as the training images are few."
    if info.get("precision") == "bf16":
        yield "Trained in bf16 (16-bit floating point): other machines differ in the last digits."
    waited = info.get("waiting_share") or 0
    if waited > 0.1:
        yield f"Training waited for data {wording.percent(waited)} of its time: a bottleneck."
    git = info.get("git")
    if isinstance(git, dict) and git.get("changed"):
        yield "The code had uncommitted changes, so the commit alone does not reproduce the run."
