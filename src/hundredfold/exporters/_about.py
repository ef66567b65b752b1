"""The part of the page that says what the network is: scores, labels, thresholds, licences."""

from collections.abc import Mapping, Sequence
from typing import Any

from hundredfold import metrics, wording
from hundredfold.exporters._metadata import Facts
from hundredfold.reports.html import Child, Markup, details, join, paragraph, table, tag

_FEW = 3  # labels in a sentence
_FILTERED = 24  # labels from which they can be searched
_NAMES = {
    "kind": "Kind of file",
    "recipe_digest": "Digest of the recipe",
    "data_digest": "Digest of the data",
    "weights_sha256": "SHA-256 of the weights",
}


def about(facts: Facts, runtime_license: str) -> Markup:
    """Return the section: accuracy first, all else in parts that open.

    runtime_license: the text that has to go with ONNX Runtime Web.
    """
    return join(
        [
            tag("h2", {}, "How good is it?"),
            _headline(facts.scores),
            _limits(facts),
            _score_table(facts.scores),
            _labels(facts.labels),
            details("Technical facts", _technical(facts)),
            details("Licences", _licenses(facts, runtime_license)),
        ]
    )


def few(labels: Sequence[str]) -> str:
    """Return "cat, dog, fox and 7 more"."""
    if len(labels) <= _FEW + 1:
        return wording.listed(labels)
    return f"{', '.join(labels[:_FEW])} and {len(labels) - _FEW} more"


def _headline(scores: Mapping[str, Mapping[str, Any]]) -> Markup:
    """Show the accuracy on the test split, else on validation, with its interval."""
    for split in ("test", "validation"):
        score = scores.get(f"{split}.top_1")
        if score:
            return _accuracy(score, split)
    return paragraph("No score is stored: nobody has measured how often it is right.")


def _accuracy(score: Mapping[str, Any], split: str) -> Markup:
    n = score.get("n")
    images = f"{wording.count(n)} {split} images" if n else f"the {split} images"
    bounds = wording.interval(score)
    inside = "" if bounds == wording.NOTHING else f" (95 % interval {bounds})"
    unseen = {
        "test": "It has never seen these images.",
        "validation": "It did not learn from these images, but its best epoch was chosen on them.",
    }
    return join(
        [
            paragraph(
                tag("strong", {}, wording.percent(score["value"])),
                tag("span", {}, f"right on {images}{inside}"),
                kind="score",
            ),
            paragraph(
                f"{unseen[split]} They are like those of training; on others it may do worse.",
                kind="quiet",
            ),
        ]
    )


def _limits(facts: Facts) -> Markup:
    """Say what the page does about pictures of no class."""
    lines: list[Child] = []
    if facts.reject:
        rule = _rule(str(facts.reject.get("rule", "")))
        lines.append(
            f"Above {facts.reject['threshold']:.2f} on the scale of unfamiliarity, the answer is "
            f"“unknown”{rule}. The bound was chosen on validation images."
        )
    if facts.sets:
        lines.append(
            f"The set of classes below the bars holds the true class in "
            f"{_whole(facts.sets['coverage'])} of cases, for pictures like those it learned from."
        )
    lines.append(
        "It has an answer for everything, also for pictures of things that it never learned. "
        "The scale of unfamiliarity gives a hint, and things close to a class often pass it."
    )
    return join([paragraph(line, kind="quiet") for line in lines])


def _rule(rule: str) -> str:
    name, _, value = rule.partition("=")
    try:
        share = _whole(float(value))
    except ValueError:
        return ""
    if name == "accuracy":
        return f", so that {share} of the other answers are right"
    return f", so that {share} of familiar pictures get an answer" if name == "coverage" else ""


def _score_table(scores: Mapping[str, Mapping[str, Any]]) -> Markup:
    if not scores:
        return Markup()
    rows = [
        (
            _sentence_case(metrics.words(name)),
            _number(metrics.text(name, score["value"])),
            _number(_bounds(name, score)),
            _number(wording.count(score.get("n"))),
        )
        for name, score in scores.items()
    ]
    head = ("", "Score", "95 % interval", "Images")
    return details("All scores", table(head, rows, caption="Scores"))


def _bounds(name: str, score: Mapping[str, Any]) -> str:
    low, high = score.get("low"), score.get("high")
    if not (wording.finite(low) and wording.finite(high)):
        return wording.NOTHING
    return f"{metrics.text(name, low)} to {metrics.text(name, high)}"


def _labels(labels: Sequence[str]) -> Markup:
    filtered = len(labels) > _FILTERED
    search = {"id": "filter", "type": "search", "placeholder": "Find a class"}
    named = {"aria-label": "Find a class"}
    return details(
        f"All {wording.plural(len(labels), 'class', 'classes')}",
        tag("input", search | named) if filtered else "",
        tag("ul", {"id": "labels"}, *(tag("li", {}, label) for label in labels)),
    )


def _technical(facts: Facts) -> Markup:
    rows = [
        ("Network", facts.model),
        ("Its images", f"{facts.size.width} x {facts.size.height} pixels, {facts.resize}"),
        ("Temperature", f"{facts.temperature:g}"),
        *((_NAMES[name], value) for name, value in facts.other.items()),
    ]
    return table(("", ""), rows, kind="facts")


def _licenses(facts: Facts, runtime_license: str) -> Markup:
    lines = [tag("li", {}, f"{what}: {license_}") for what, license_ in facts.licenses]
    return join([tag("ul", {"class": "plain"}, *lines), tag("pre", {}, runtime_license)])


def _number(text: str) -> Markup:
    return tag("td", {"class": "number"}, text)


def _whole(share: float) -> str:
    return f"{100 * share:g} %"


def _sentence_case(text: str) -> str:
    return text[:1].upper() + text[1:]
