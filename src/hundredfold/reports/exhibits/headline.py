"""The headline of a run: model, data, and accuracy in one sentence."""

import shlex
from collections.abc import Mapping

from hundredfold import metrics, wording
from hundredfold.reports import charts
from hundredfold.reports.charts import Frame, Scale
from hundredfold.reports.exhibit import Exhibit
from hundredfold.reports.html import Child, Markup, join, paragraph, tag
from hundredfold.reports.run_evidence import RunEvidence

TITLE = ""
ORDER = 0

STATES = {
    "running": "This run was still training when the page was written.",
    "stopped": "This run was interrupted; train --resume continues it.",
    "failed": "This run failed before training ended.",
}


def headline(evidence: RunEvidence) -> Exhibit:
    """Show the accuracy with its interval, on the test split if it has been evaluated."""
    score = evidence.score("top_1", "test")
    split = "test" if score else "validation"
    score = score or _validation(evidence)
    body = join(
        [
            _trained(evidence),
            _state(evidence),
            _big(score, split) if score else paragraph(_unscored(evidence), kind="absent"),
            _balanced(evidence, split),
            _unseen(evidence),
            _seal(evidence, bool(evidence.score("top_1", "test"))),
        ]
    )
    return Exhibit(body)


def sentence(score: Mapping[str, float], split: str) -> str:
    """Return "51.2 % accuracy on 10,000 test images (95 % interval 50.2–52.2)"."""
    images = (
        f"{wording.count(score['n'])} {split} images" if score.get("n") else f"the {split} images"
    )
    bounds = wording.interval(score)
    inside = "" if bounds == wording.NOTHING else f" (95 % interval {bounds})"
    return f"{wording.percent(score['value'])} accuracy on {images}{inside}"


def _unscored(evidence: RunEvidence) -> str:
    if evidence.kept_none:
        return "There is no score yet: the run was trained on all images."
    return "There is no score yet."


def _validation(evidence: RunEvidence) -> Mapping[str, float]:
    stored = evidence.score("top_1", "validation")
    if stored:
        return stored
    best = evidence.info.get("best_epoch")
    row = next((r for r in evidence.curve if r.get("epoch") == best), {})
    value = row.get("validation.top_1")
    n = evidence.data.get("validation")
    return {"value": value} | ({"n": n} if n else {}) if value is not None else {}


def _trained(evidence: RunEvidence) -> Markup:
    recipe, data = evidence.recipe, evidence.data
    parts: list[Child] = []
    if recipe.get("title"):  # else the page's title has the model and the data
        name = str(data.get("name") or recipe.get("data", "?"))
        parts.append(join([tag("code", {}, str(recipe.get("model", "?"))), f" on {name}"]))
    if data.get("classes"):
        parts.append(f"{len(data['classes'])} classes")
    if data.get("train"):
        parts.append(f"{wording.count(data['train'])} training images")
    return paragraph(join(parts, ", "), kind="subtitle")


def _state(evidence: RunEvidence) -> Markup:
    status = str(evidence.info.get("status", "done"))
    if status == "done":
        return Markup()
    reason = str(evidence.info.get("reason") or "")
    return paragraph(
        STATES.get(status, status), f" Reason: {reason}." if reason else "", kind="warning"
    )


def _big(score: Mapping[str, float], split: str) -> Markup:
    words = sentence(score, split)
    number, _, rest = words.partition(" %")
    return tag(
        "div",
        {"class": "score"},
        paragraph(
            tag("strong", {}, number, tag("span", {"class": "unit"}, " %")),
            tag("span", {}, rest.strip() + "."),
            kind="big",
        ),
        _ruler(score, words),
    )


def _balanced(evidence: RunEvidence, split: str) -> Markup:
    """Show the balanced accuracy where one class holds more than half of the images."""
    score = evidence.score("balanced_accuracy", split)
    common = metrics.majority(evidence.run.labels(split))
    if not score or common <= 0.5:
        return Markup()
    bounds = wording.interval(score)
    return paragraph(
        f"Balanced accuracy, the mean of the recall of each class, is "
        f"{wording.percent(score['value'])} (95 % interval {bounds}). One class has "
        f"{wording.percent(common, 0)} of the {split} images, so always guessing it is right as "
        "often.",
        kind="quiet",
    )


def _unseen(evidence: RunEvidence) -> Markup:
    """Show the accuracy without the test images that have a near-duplicate in training."""
    score, unseen = evidence.score("top_1", "test"), evidence.score("top_1_unseen", "test")
    if not score or not unseen:
        return Markup()
    seen = round(score["n"] - unseen["n"])
    if not seen:
        return paragraph("No test image is a near-duplicate of a training image.", kind="quiet")
    images = wording.plural(seen, "test image")
    verb = "is a near-duplicate" if seen == 1 else "are near-duplicates"
    return paragraph(
        f"{images} {verb} of a training image (mirrored, cropped or re-encoded). "
        f"Without {'it' if seen == 1 else 'them'}: {sentence(unseen, 'test')}.",
        kind="quiet",
    )


def _ruler(score: Mapping[str, float], words: str) -> Markup:
    """Draw the score and its interval on a line from 0 to 100 %."""
    frame = Frame(Scale(0, 1), Scale(0, 1), 560, 40, (6, 12, 22, 12))
    y = (frame.top + frame.bottom) / 2
    x = frame.at(score["value"], 0)[0]
    low, high = (frame.at(score.get(k, score["value"]), 0)[0] for k in ("low", "high"))
    ticks = [
        charts.text(frame.at(t, 0)[0], 36, f"{100 * t:g}", "tick", anchor="middle")
        for t in frame.x.ticks(4)
    ]
    return charts.drawing(
        frame.width,
        frame.height,
        words,
        charts.path([(frame.left, y), (frame.right, y)], "rail"),
        charts.rectangle(low, y - 5, max(high - low, 1.5), 10, "span fill c0", round_by=3),
        charts.circle(x, y, 4.5, "dot fill c0"),
        ticks,
        kind="ruler",
    )


def _seal(evidence: RunEvidence, scored: bool) -> Markup:
    if scored or evidence.test_evaluations:
        times = wording.times(max(evidence.test_evaluations, 1))
        lost = "" if scored else " No score of it is stored."
        return paragraph(f"The test split of this run was evaluated {times}.{lost}", kind="quiet")
    command = f"hundredfold evaluate {shlex.quote(evidence.run.name)} --split test"
    return paragraph(
        "The test split is still sealed: nothing in this run has read it. To evaluate it: ",
        tag("code", {}, command),
        kind="quiet",
    )
