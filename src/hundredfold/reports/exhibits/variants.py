"""The tables of a study: scores and cost of each variant, mean and deviation over seeds."""

from collections.abc import Callable
from statistics import fmean, stdev
from typing import Any

from hundredfold import metrics, wording
from hundredfold.reports.exhibit import Exhibit, missing
from hundredfold.reports.html import Child, Markup, join, paragraph, table, tag
from hundredfold.reports.run_evidence import RunEvidence
from hundredfold.reports.study_evidence import StudyEvidence, mean

TITLE = "Scores and cost"
ORDER = 10

Cost = tuple[str, str, Callable[[Any], str]]
COSTS: tuple[Cost, ...] = (
    ("Parameters", "parameters", wording.short),
    ("MACs", "macs", wording.short),
    ("Seconds", "seconds", wording.seconds),
    ("Images/s", "images_per_second", wording.count),
    ("Memory", "peak_memory_bytes", wording.memory),
)


def variants(study: StudyEvidence) -> Exhibit:
    """Show a table of score, size, time and memory of each variant, and one of all scores."""
    if not study.members:
        return missing("The study has no finished run yet.")
    order = [str(system["label"]) for system in study.comparison.get("systems", [])]
    labels = list(dict.fromkeys([*order, *study.labels, *study.left_out]))
    units = f"{study.units}s"
    lead = f"Mean ± standard deviation over {units}; costs are means over {units}."
    if study.reference:
        lead += f" Reference: {study.reference['source']}."
    tables = (_costs(study, labels), _scores(study, labels))
    return Exhibit(join([paragraph(lead, kind="lead"), *tables]))


def _costs(study: StudyEvidence, labels: list[str]) -> Markup:
    head = [
        *("Variant", f"{study.units.capitalize()}s", _heading(study.metric)),
        *(["Reference"] if study.reference else []),
        *(name for name, _, _ in COSTS),
        *("Epochs (kept)", "Precision"),
    ]
    rows = [_costs_row(study, label) for label in labels]
    return table(head, rows, kind="sortable wide", caption="Variants, the best mean first")


def _costs_row(study: StudyEvidence, label: str) -> list[Child]:
    runs = study.of(label)
    reference = [_reference(study, label)] if study.reference else []
    return [
        _name(study, label),
        _cell(len(runs), wording.count(len(runs)) if runs else "left out"),
        _main(study, label),
        *reference,
        *(_mean_cell(runs, key, words) for _, key, words in COSTS),
        _epochs(runs),
        tag("td", {}, ", ".join(sorted({_precision(run) for run in runs}))),
    ]


def _scores(study: StudyEvidence, labels: list[str]) -> Markup:
    """Return a table of all scores except the compared one."""
    keys = {key for member in study.members for key in member.evidence.scores}
    splits = dict.fromkeys((study.metric.partition(".")[0], "test"))
    wanted = [f"{split}.{name}" for split in splits for name in metrics.default()]
    shown = [key for key in wanted if key in keys and key != study.metric]
    if not shown:
        return Markup()
    rows = [
        [_name(study, label), *(_spread(study.of(label), key) for key in shown)] for label in labels
    ]
    head = ["Variant", *map(_heading, shown)]
    return table(head, rows, kind="sortable wide", caption="Their other scores")


def _heading(key: str) -> str:
    words = metrics.words(key)
    return f"{words[:1].upper()}{words[1:]}".replace("-", "\N{NON-BREAKING HYPHEN}")


def _name(study: StudyEvidence, label: str) -> Markup:
    swatch = tag("i", {"class": f"swatch b{study.colour(label) % 8}"})
    return tag("th", {"scope": "row"}, swatch, label)


def _main(study: StudyEvidence, label: str) -> Markup:
    systems = study.comparison.get("systems", [])
    system: dict[str, Any] = next((s for s in systems if s["label"] == label), {})
    middle, deviation = system.get("mean"), system.get("sd")
    if deviation is None:
        return _cell(middle, study.text(middle))
    words = f"{study.text(middle, with_unit=False)} ± {study.text(deviation)}"
    return _cell(middle, words)


def _reference(study: StudyEvidence, label: str) -> Markup:
    value = study.reference["values"].get(label)
    return _cell(value, study.text(value))


def _spread(runs: list[RunEvidence], key: str) -> Markup:
    values = [run.scores[key]["value"] for run in runs if key in run.scores]
    if not values:
        return _cell(None, wording.NOTHING)
    text = metrics.about(key).text
    if len(values) < 2:
        return _cell(values[0], text(values[0]))
    middle = fmean(values)
    return _cell(middle, f"{text(middle).removesuffix(' %')} ± {text(stdev(values))}")


def _mean_cell(runs: list[RunEvidence], key: str, words: Callable[[Any], str]) -> Markup:
    middle = mean([run.info.get(key, run.summary.get(key)) for run in runs])
    return _cell(middle, words(middle))


def _epochs(runs: list[RunEvidence]) -> Markup:
    ran, best = mean([len(r.curve) for r in runs]), mean([r.info.get("best_epoch") for r in runs])
    words = f"{ran:.0f} ({best:.0f})" if ran is not None and best is not None else wording.NOTHING
    return _cell(ran, words)


def _precision(run: RunEvidence) -> str:
    return str(run.info.get("precision") or run.recipe.get("precision", "?"))


def _cell(sort: Any, words: str) -> Markup:
    return tag("td", {"class": "number", "data-sort": sort}, words)
