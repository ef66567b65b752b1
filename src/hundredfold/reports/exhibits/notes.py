"""The limits of these numbers: seeds, selection, test evaluations, circumstances."""

from collections.abc import Iterator

from hundredfold import metrics, wording
from hundredfold.reports.exhibit import Exhibit
from hundredfold.reports.html import tag
from hundredfold.reports.run_evidence import RunEvidence

TITLE = "Limits of these numbers"
ORDER = 80

FEW_IMAGES = 2000


def notes(evidence: RunEvidence) -> Exhibit:
    """List the limits of the conclusions from this run."""
    return Exhibit(tag("ul", {"class": "notes"}, *(tag("li", {}, n) for n in _notes(evidence))))


def _notes(evidence: RunEvidence) -> Iterator[str]:
    yield (
        f"One seed ({evidence.recipe.get('seed', 0)}). The interval covers the draw of the images, "
        "not another training; a study of three seeds shows how far seeds differ."
    )
    yield from _selection(evidence)
    yield from _test(evidence)
    yield from _circumstances(evidence)


def _selection(evidence: RunEvidence) -> Iterator[str]:
    select, best = evidence.recipe.get("select", "validation.loss"), evidence.info.get("best_epoch")
    ran, wanted = len(evidence.curve), evidence.recipe.get("epochs", 0)
    if select != "last" and best:
        name = metrics.words(str(select))
        yield (
            f"Epoch {best} was kept because its {name} was best. So the validation score is "
            "slightly optimistic; the test score is not affected by that choice."
        )
    if evidence.info.get("status", "done") == "done" and ran < wanted:
        reason = f": {evidence.info['reason']}" if evidence.info.get("reason") else ""
        yield f"Training stopped after {ran} of at most {wanted} epochs{reason}."


def _test(evidence: RunEvidence) -> Iterator[str]:
    if evidence.test_evaluations > 1:
        times = wording.times(evidence.test_evaluations)
        yield (
            f"The test split was evaluated {times}. Every evaluation that leads to a choice makes "
            "the score optimistic."
        )
    tested = bool(evidence.score("top_1", "test"))
    if evidence.kept_none:
        alone = (
            "the test split is the only measure"
            if tested
            else "there is no score until the test split is evaluated"
        )
        yield f"All images were trained on, and none are kept for validation: {alone}."
    elif not tested:
        yield "No test score yet: the scores here come from the validation images."
    score = evidence.score("top_1")
    if score and score.get("n", FEW_IMAGES) < FEW_IMAGES:
        yield f"The score rests on {wording.count(score['n'])} images, so its interval is wide."


def _circumstances(evidence: RunEvidence) -> Iterator[str]:
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
