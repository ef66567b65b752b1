"""The table of a study: cost beside accuracy, mean and deviation over seeds."""

from collections.abc import Callable
from typing import Any

from hundredfold import wording
from hundredfold.reports._evidence import Evidence, Exhibit, StudyEvidence
from hundredfold.reports._html import Child, Markup, join, paragraph, table, tag
from hundredfold.reports._study import colour, mean, metric_words, value_text


def variants(study: StudyEvidence) -> Exhibit:
    """List each variant with its scores, size, time and memory."""
    title = "Cost beside accuracy"
    if not study.members:
        return Exhibit(title, paragraph("The study has no finished run yet.", kind="absent"))
    order = [str(system["label"]) for system in study.comparison.get("systems", [])]
    labels = list(dict.fromkeys([*order, *study.labels, *study.left_out]))
    extra, reference = _extra(study), study.reference
    own, *others = [
        metric_words(key).capitalize().replace("-", "\N{NON-BREAKING HYPHEN}")
        for key in (study.metric, *extra)
    ]
    head = [
        "Variant", "Seeds", own, *(["Reference"] if reference else []), *others,
        "Parameters", "MACs", "Seconds", "Images/s", "Epochs (kept)", "Memory", "Precision",
    ]  # fmt: skip
    rows = [_row(study, label, extra) for label in labels]
    lead = "Mean ± standard deviation over seeds; costs are means over seeds."
    if reference:
        lead += f" Reference: {reference['source']}."
    return Exhibit(
        title,
        join(
            [
                paragraph(lead, kind="lead"),
                table(head, rows, kind="sortable wide", caption="Variants, the best mean first"),
            ]
        ),
    )


def _extra(study: StudyEvidence) -> list[str]:
    """Return the other scores that some run of the study has."""
    known = {key for member in study.members for key in member.evidence.scores}
    split = study.metric.partition(".")[0]
    wanted = ("test.top_1", f"{split}.top_5", f"{split}.coarse_top_1", f"{split}.ece")
    return [key for key in dict.fromkeys(wanted) if key in known and key != study.metric]


def _row(study: StudyEvidence, label: str, extra: list[str]) -> list[Child]:
    runs = study.of(label)
    system: dict[str, Any] = next(
        (s for s in study.comparison.get("systems", []) if s["label"] == label), {}
    )
    swatch = tag("i", {"class": f"swatch b{colour(study, label) % 8}"})
    spread = (
        f" ± {value_text(study, system['sd'], with_unit=False)}"
        if system.get("sd") is not None
        else ""
    )
    main = f"{value_text(study, system.get('mean'), with_unit=not spread)}{spread}"
    cells = [
        _cell(len(runs), wording.count(len(runs)) if runs else "left out"),
        _cell(
            system.get("mean"),
            main + (" %" if spread and study.comparison.get("percent", True) else ""),
        ),
        *([_reference(study, label)] if study.reference else []),
        *(_spread(runs, key) for key in extra),
        _mean_cell(runs, "parameters", wording.short),
        _mean_cell(runs, "macs", wording.short),
        _mean_cell(runs, "seconds", wording.seconds),
        _mean_cell(runs, "images_per_second", wording.count),
        _epochs(runs),
        _mean_cell(runs, "peak_memory_bytes", wording.memory),
        tag(
            "td",
            {},
            ", ".join(
                sorted(
                    {str(r.info.get("precision") or r.recipe.get("precision", "?")) for r in runs}
                )
            ),
        ),
    ]
    return [tag("th", {"scope": "row"}, swatch, label), *cells]


def _reference(study: StudyEvidence, label: str) -> Markup:
    value = study.reference["values"].get(label)
    return _cell(value, value_text(study, value))


def _spread(runs: list[Evidence], key: str) -> Markup:
    values = [run.scores[key]["value"] for run in runs if key in run.scores]
    middle = mean(values)
    if middle is None:
        return _cell(None, wording.NOTHING)
    if len(values) < 2:
        return _cell(middle, wording.percent(middle))
    deviation = (sum((v - middle) ** 2 for v in values) / (len(values) - 1)) ** 0.5
    return _cell(middle, f"{100 * middle:.1f} ± {100 * deviation:.1f} %")


def _mean_cell(runs: list[Evidence], key: str, words: Callable[[Any], str]) -> Markup:
    values = [run.info.get(key, run.summary.get(key)) for run in runs]
    middle = mean(values)
    return _cell(middle, words(middle))


def _epochs(runs: list[Evidence]) -> Markup:
    ran, best = mean([len(r.curve) for r in runs]), mean([r.info.get("best_epoch") for r in runs])
    words = f"{ran:.0f} ({best:.0f})" if ran is not None and best is not None else wording.NOTHING
    return _cell(ran, words)


def _cell(sort: Any, words: str) -> Markup:
    return tag("td", {"class": "number", "data-sort": sort}, words)
