"""The first thing to read in a study: which variant is ahead, and whether one may say so."""

from hundredfold import wording
from hundredfold.reports import _svg
from hundredfold.reports._evidence import Exhibit, StudyEvidence
from hundredfold.reports._html import Child, Markup, join, paragraph, tag
from hundredfold.reports._study import (
    colour,
    metric_words,
    row_axes,
    row_scale,
    unit,
    value_scale,
    value_text,
)
from hundredfold.reports._svg import Frame


def verdict(study: StudyEvidence) -> Exhibit:
    """Say which variant has the best mean, and each of its comparisons in words."""
    systems = study.comparison.get("systems", [])
    seeds = sorted({member.seed for member in study.members})
    about = (
        f"{wording.plural(len(study.labels), 'variant')}, {wording.plural(len(seeds), 'seed')}, "
        f"{wording.plural(len(study.members), 'run')}, compared by {metric_words(study.metric)}"
    )
    if not systems:
        waiting = paragraph("Nothing has been compared yet.", kind="absent")
        return Exhibit(study.title, join([paragraph(about, kind="subtitle"), waiting]))
    pairs = study.comparison.get("pairs", [])
    first = [pair for pair in pairs if systems[0]["label"] in (pair["first"], pair["second"])]
    body = join(
        [
            paragraph(about, kind="subtitle"),
            _best(study, systems[0], first),
            tag("ul", {"class": "verdicts"}, *(_pair(pair) for pair in first)),
            _svg.sideways(_dots(study)),
            _seal(study),
        ]
    )
    return Exhibit(study.title, body, {"means": _dots(study)})


def _best(study: StudyEvidence, best: dict[str, object], pairs: list[dict[str, object]]) -> Markup:
    settled = bool(pairs) and all(pair["verdict"] in ("better", "worse") for pair in pairs)
    middle = value_text(study, best["mean"], with_unit=False)
    seeds = wording.plural(int(str(best["n"])), "seed")
    words = "is the best" if settled else "has the best mean"
    if not pairs:
        words = "is the only variant"
    spread = (
        f" ± {value_text(study, best['sd'], with_unit=False)}" if best.get("sd") is not None else ""
    )
    return tag(
        "div",
        {"class": "score"},
        paragraph(
            tag("strong", {}, str(best["label"])),
            tag(
                "span",
                {},
                f"{words}: {middle}{spread}{unit(study)} over {seeds}.",
            ),
            kind="big words",
        ),
    )


def _pair(pair: dict[str, object]) -> Markup:
    settled = pair["verdict"] in ("better", "worse")
    return tag("li", {"class": "settled" if settled else "open"}, str(pair["sentence"]))


def _dots(study: StudyEvidence) -> Markup:
    """Draw each variant's seeds as dots, its mean as a bar, its interval as a line."""
    systems = study.comparison["systems"]
    names = [str(system["label"]) for system in systems]
    left = min(max(map(len, names)) * 7.0, 220) + 24
    frame = Frame(
        value_scale(study), row_scale(len(systems)), 720, 56 + 34 * len(systems), (10, 20, 40, left)
    )
    parts: list[Child] = []
    for row, system in enumerate(systems):
        parts.append(_row(study, frame, row, system, _svg.colour(colour(study, names[row]))))
    grid = row_axes(
        frame, metric_words(study.metric) + unit(study).replace(" ", ", "), share=bool(unit(study))
    )
    words = "Seeds, mean and 95 % interval of each variant"
    return _svg.drawing(frame.width, frame.height, words, grid, *parts, kind="wide")


def _row(
    study: StudyEvidence, frame: Frame, row: int, system: dict[str, object], hue: str
) -> Markup:
    label = str(system["label"])
    mean = float(str(system["mean"]))
    x, y = frame.at(mean, row)
    parts = [_svg.text(frame.left - 14, y + 4, label, f"name fill {hue}", anchor="end")]
    low, high = system.get("low"), system.get("high")
    if wording.finite(low) and wording.finite(high):
        ends = [
            frame.at(min(max(float(str(v)), frame.x.low), frame.x.high), row)[0]
            for v in (low, high)
        ]
        hint = f"95 % interval of the mean {value_text(study, low)} to {value_text(study, high)}"
        parts.append(
            _svg.rectangle(
                ends[0], y - 4, ends[1] - ends[0], 8, f"pale fill {hue}", hint, round_by=4
            )
        )
    parts += [
        _svg.circle(
            frame.at(value, row)[0],
            y,
            3.6,
            f"dot fill {hue}",
            f"seed {seed}: {value_text(study, value)}",
        )
        for seed, value in study.values.get(label, {}).items()
    ]
    parts.append(_svg.path([(x, y - 10), (x, y + 10)], f"line {hue}"))
    return tag("g", {}, *parts)


def _seal(study: StudyEvidence) -> Markup:
    if study.metric.startswith("test"):
        return Markup()
    chose = any(member.evidence.recipe.get("select") != "last" for member in study.members)
    images = "validation images, which also chose the epochs" if chose else "validation images"
    return paragraph(
        f"Variants are compared on {images}; the test split is not used to compare them.",
        kind="quiet",
    )
