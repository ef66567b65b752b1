"""The headline of a study: the best variant, and whether its lead is significant."""

from hundredfold import wording
from hundredfold.reports import charts
from hundredfold.reports.charts import Frame, Scale
from hundredfold.reports.exhibit import Exhibit
from hundredfold.reports.html import Child, Markup, join, paragraph, tag
from hundredfold.reports.study_evidence import StudyEvidence

TITLE = ""
ORDER = 0


def verdict(study: StudyEvidence) -> Exhibit:
    """Show the variant with the best mean, and the verdict on each of its comparisons."""
    systems = study.comparison.get("systems", [])
    seeds = sorted({member.seed for member in study.members})
    folds = f" of {study.folds} folds" if study.folds else ""
    about = (
        f"{wording.plural(len(study.labels), 'variant')}, {wording.plural(len(seeds), 'seed')}"
        f"{folds}, "
        f"{wording.plural(len(study.members), 'run')}, compared by {study.metric_words}"
    )
    if not systems:
        waiting = paragraph("Nothing has been compared yet.", kind="absent")
        return Exhibit(join([paragraph(about, kind="subtitle"), waiting]))
    pairs = study.comparison.get("pairs", [])
    first = [pair for pair in pairs if systems[0]["label"] in (pair["first"], pair["second"])]
    body = join(
        [
            paragraph(about, kind="subtitle"),
            _best(study, systems[0], first),
            _over_all(study),
            tag("ul", {"class": "verdicts"}, *(_pair(pair) for pair in first)),
            charts.sideways(_dots(study)),
            _seal(study),
        ]
    )
    return Exhibit(body, {"means": _dots(study)})


def _best(study: StudyEvidence, best: dict[str, object], pairs: list[dict[str, object]]) -> Markup:
    settled = bool(pairs) and all(pair["verdict"] in ("better", "worse") for pair in pairs)
    middle = study.text(best["mean"], with_unit=False)
    seeds = wording.plural(int(str(best["n"])), study.units)
    words = "is the best" if settled else "has the best mean"
    if not pairs:
        words = "is the only variant"
    spread = f" ± {study.text(best['sd'], with_unit=False)}" if best.get("sd") is not None else ""
    return tag(
        "div",
        {"class": "score"},
        paragraph(
            tag("strong", {}, str(best["label"])),
            tag(
                "span",
                {},
                f"{words}: {middle}{spread}{study.unit} over {seeds}.",
            ),
            kind="big words",
        ),
    )


def _pair(pair: dict[str, object]) -> Markup:
    settled = pair["verdict"] in ("better", "worse")
    return tag("li", {"class": "settled" if settled else "open"}, str(pair["sentence"]))


def _scale(study: StudyEvidence) -> Scale:
    """Return a scale with every seed; intervals far beyond the seeds are clipped."""
    values = [value for seeds in study.values.values() for value in seeds.values()]
    systems = study.comparison["systems"]
    values = values or [system["mean"] for system in systems]  # no run of the study is left
    low, high = min(values), max(values)
    room = 0.25 * ((high - low) or abs(high) * 0.05 or 1.0)
    ends = [s[k] for s in systems for k in ("low", "high") if wording.finite(s.get(k))]
    pad = 0.03 * room
    first = max(low - room, min([low, *ends])) - pad
    last = min(high + room, max([high, *ends])) + pad
    return Scale(max(first, 0.0), min(last, 1.0)) if study.percent else Scale(first, last)


def _dots(study: StudyEvidence) -> Markup:
    """Draw each variant's seeds as dots, its mean as a bar, its interval as a line."""
    systems = study.comparison["systems"]
    names = [str(system["label"]) for system in systems]
    left = min(max(map(len, names)) * 7.0, 220) + 24
    rows = charts.row_scale(len(systems))
    frame = Frame(_scale(study), rows, 720, 56 + 34 * len(systems), (10, 20, 40, left))
    parts: list[Child] = []
    for row, system in enumerate(systems):
        parts.append(_row(study, frame, row, system, charts.colour(study.colour(names[row]))))
    grid = charts.row_axes(
        frame, study.metric_words + study.unit.replace(" ", ", "), percent=study.percent
    )
    words = "Seeds, mean and 95 % interval of each variant"
    return charts.drawing(frame.width, frame.height, words, grid, *parts, kind="wide")


def _row(
    study: StudyEvidence, frame: Frame, row: int, system: dict[str, object], hue: str
) -> Markup:
    label = str(system["label"])
    mean = float(str(system["mean"]))
    x, y = frame.at(mean, row)
    parts = [charts.text(frame.left - 14, y + 4, label, f"name fill {hue}", anchor="end")]
    low, high = system.get("low"), system.get("high")
    if wording.finite(low) and wording.finite(high):
        ends = [
            frame.at(min(max(float(str(v)), frame.x.low), frame.x.high), row)[0]
            for v in (low, high)
        ]
        hint = f"95 % interval of the mean {study.text(low)} to {study.text(high)}"
        parts.append(
            charts.rectangle(
                ends[0], y - 4, ends[1] - ends[0], 8, f"pale fill {hue}", hint, round_by=4
            )
        )
    parts += [
        charts.circle(
            frame.at(value, row)[0],
            y,
            3.6,
            f"dot fill {hue}",
            f"{study.unit_words(unit)}: {study.text(value)}",
        )
        for unit, value in study.values.get(label, {}).items()
    ]
    parts.append(charts.path([(x, y - 10), (x, y + 10)], f"line {hue}"))
    return tag("g", {}, *parts)


def _over_all(study: StudyEvidence) -> Markup:
    """Show each variant's cross-validated score over all images."""
    items = [
        tag(
            "li",
            {},
            f"{entry['label']}, seed {entry['seed']}: {study.text(entry['value'])} over all "
            f"{wording.count(entry['n'])} images, each scored by the run that held it out "
            f"(95 % interval {study.text(entry['low'])} to {study.text(entry['high'])}).",
        )
        for entry in study.stored.get("cross_validated", ())
    ]
    return tag("ul", {"class": "notes"}, *items) if items else Markup()


def _seal(study: StudyEvidence) -> Markup:
    if study.metric.startswith("test"):
        return Markup()
    chose = any(member.evidence.recipe.get("select") != "last" for member in study.members)
    images = "validation images, which also chose the epochs" if chose else "validation images"
    return paragraph(
        f"Variants are compared on {images}; the test split is not used to compare them.",
        kind="quiet",
    )
