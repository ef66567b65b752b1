"""The runs of a study, those left out, and the recipe fields of the variants."""

from typing import Any
from urllib.parse import quote

from hundredfold import wording
from hundredfold.reports.exhibit import Exhibit
from hundredfold.reports.highlight import toml
from hundredfold.reports.html import Child, Markup, details, join, paragraph, table, tag
from hundredfold.reports.study_evidence import Member, StudyEvidence
from hundredfold.run import plain, reading

TITLE = "Runs and recipes"
ORDER = 50


def runs(study: StudyEvidence) -> Exhibit:
    """List every run, the runs left out with reasons, and the differences of the recipes."""
    rows = [_row(study, member) for member in study.members]
    head = ["Run", "Variant", "Seed", "Score", "Status", "Seconds", "Test evaluations"]
    body = join(
        [
            table(head, rows, kind="sortable", caption="Runs")
            if rows
            else paragraph("No run is finished yet.", kind="absent"),
            _left_out(study),
            _varied(study),
            _stated(study),
        ]
    )
    return Exhibit(body)


def _row(study: StudyEvidence, member: Member) -> list[Child]:
    evidence, value = member.evidence, study.values[member.label].get(member.unit)
    folder = evidence.run.folder.name
    page = evidence.run.folder / "report.html"
    name: Child = (
        tag("a", {"href": f"../{quote(folder)}/report.html"}, folder) if page.exists() else folder
    )
    return [
        tag(
            "th",
            {"scope": "row"},
            tag("i", {"class": f"swatch b{study.colour(member.label) % 8}"}),
            name,
        ),
        member.label,
        _number(member.unit, study.unit_words(member.unit).removeprefix("seed ")),
        _number(value, study.text(value)),
        str(evidence.info.get("status", "?")),
        _number(evidence.info.get("seconds"), wording.seconds(evidence.info.get("seconds"))),
        _number(evidence.test_evaluations, str(evidence.test_evaluations)),
    ]


def _left_out(study: StudyEvidence) -> Markup:
    items = [
        (f"{e.get('label', '?')}, seed {e.get('seed', '?')}", str(e.get("reason", "")))
        for e in study.stored.get("left_out", ())
    ]
    items += [(name, "its folder is missing") for name in study.gone]
    if not items:
        return Markup()
    listed = (tag("li", {}, tag("b", {}, label), f": {reason}") for label, reason in items)
    return join([tag("h3", {}, "Left out"), tag("ul", {"class": "notes"}, *listed)])


def _varied(study: StudyEvidence) -> Markup:
    """Show the recipe fields in which variants differ, and the common ones in a closed section."""
    recipes = {label: study.of(label)[0].recipe for label in study.labels}
    fields = [
        key for key in _fields(recipes) if len({str(r.get(key)) for r in recipes.values()}) > 1
    ]
    shared = {
        key: next(iter(recipes.values())).get(key) for key in _fields(recipes) if key not in fields
    }
    fields = [key for key in fields if key != "title"]
    if not recipes:
        return Markup()
    rows: list[list[Child]] = [
        [label, *(tag("td", {}, tag("code", {}, str(r.get(key, "")))) for key in fields)]
        for label, r in recipes.items()
    ]
    same = [
        [key, tag("td", {}, tag("code", {}, str(value)))]
        for key, value in shared.items()
        if value not in ("", None)
    ]
    varied = table(["Variant", *fields], rows, caption="How the variants differ") if fields else ""
    return join([varied, details("What all variants share", table(["", ""], same, kind="facts"))])


def _fields(recipes: dict[str, dict[str, Any]]) -> list[str]:
    skipped = ("seed", "fold", "source")
    return list(dict.fromkeys(k for r in recipes.values() for k in r if k not in skipped))


def _stated(study: StudyEvidence) -> Markup:
    if not plain.exists(study.folder / "study.toml"):
        return Markup()
    text = plain.content(study.folder, "study.toml", reading.LARGEST).decode(errors="replace")
    return details("study.toml", tag("pre", {}, tag("code", {}, toml(text))))


def _number(sort: Any, words: str) -> Markup:
    return tag("td", {"class": "number", "data-sort": sort}, words)
