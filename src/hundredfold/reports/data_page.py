"""The page of a data check: check-NAME.html, one self-contained file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hundredfold import files, wording
from hundredfold.data import Suspect
from hundredfold.reports.data_pictures import Pictures, grids, pairs, suspect_cards
from hundredfold.reports.exhibit import Exhibit, missing
from hundredfold.reports.exhibits import Section
from hundredfold.reports.html import Child, Markup, join, number, paragraph, table, tag
from hundredfold.reports.layout import page

Report = Mapping[str, Any]


def write_check(
    report: Report, pictures: Pictures, suspects: Sequence[Suspect] | None, out: Path
) -> Path:
    """Write the page of a data check's report; return its path.

    pictures: file name -> pixels, or None where there are none. suspects: the images whose label
    may be wrong, most suspect first; None where they were not searched for.
    """
    sections = [
        Section("summary", "", _summary(report)),
        Section("classes", "Classes", grids(report, pictures)),
        Section("files", "Files left out", _files(report)),
        Section("duplicates", "Duplicates", _duplicates(report, pictures)),
        Section("shortcuts", "Shortcuts", _shortcuts(report)),
        Section("drift", "Differences between parts", _drift(report)),
    ]
    note = report["suspects"]["note"]
    cards = (
        missing(f"Not searched: {note}.") if suspects is None else suspect_cards(suspects, pictures)
    )
    sections.insert(2, Section("suspects", "Label suspects", cards))
    title = f"Check of {report['name']}"
    files.write_text(out, page("data check", str(report["name"]), title, sections))
    return out


def _summary(report: Report) -> Exhibit:
    total = sum(report["images"].values())
    classes = len(report["classes"]["train"])
    big = paragraph(
        tag("strong", {}, wording.count(total)),
        tag("span", {}, f"images of {wording.plural(classes, 'class', 'classes')}."),
        kind="big",
    )
    bad = wording.plural(len(report["bad"]), "unreadable file")
    ready = "Ready to train" + (f", without {bad}." if report["bad"] else ".")
    state = "Training would refuse these data." if report["problems"] else ready
    body = [
        paragraph(wording.listed(_counts(report)), kind="subtitle"),
        tag("div", {"class": "score"}, big),
        paragraph(state, kind="warning" if report["problems"] else None),
        _list(report["problems"]),
        tag("h3", {}, "Notes") if report["notes"] else "",
        _list(report["notes"]),
        tag("h3", {}, "Advice") if report["advice"] else "",
        _list(report["advice"]),
        _sizes(report),
    ]
    return Exhibit(join(body))


def _counts(report: Report) -> list[str]:
    """Return the number of images of each part: training, validation, test."""
    order = sorted(report["images"], key=("train", "validation", "test").index)
    words = {"train": "training"}
    return [f"{wording.count(report['images'][k])} {words.get(k, k)} images" for k in order]


def _list(sentences: Sequence[str]) -> Markup:
    items = (tag("li", {}, sentence[:1].upper() + sentence[1:] + ".") for sentence in sentences)
    return tag("ul", {"class": "notes"}, *items) if sentences else Markup()


def _sizes(report: Report) -> Markup:
    if not report["sizes"]:
        return Markup()
    rows = [[kind, number(f"{w} x {h}")] for kind, (w, h) in report["sizes"].items()]
    return table(["Image", "Pixels"], rows, kind="facts", caption="Sizes")


def _files(report: Report) -> Exhibit:
    left_out = report["files"]["left_out"]
    passed = report["files"]["passed_over"]
    parts: list[Child] = []
    if left_out:
        rows = [[tag("code", {}, fact["file"]), fact["reason"]] for fact in left_out]
        lead = f"{wording.plural(len(left_out), 'file')} cannot be read, and training leaves them "
        parts += [paragraph(lead, "out.", kind="lead"), table(["File", "Reason"], rows)]
    if passed:
        rows = [[kind, number(wording.count(count), sort=count)] for kind, count in passed.items()]
        parts.append(table(["Passed over", "Files"], rows, caption="No images of a class"))
    if not parts:
        return missing("Every file is an image of a class and can be read.")
    return Exhibit(join(parts))


def _duplicates(report: Report, pictures: Pictures) -> Exhibit:
    same, near = report["duplicates"], report["near"] or {}
    body = [
        pairs("The same image in several parts", same["across"], pictures),
        pairs("The same image in several classes", same["contradicting"], pictures),
        pairs("The same image twice in a part", same["within"], pictures),
        pairs("Nearly the same in several parts", near.get("across", []), pictures),
        pairs("Nearly the same in several classes", near.get("contradicting", []), pictures),
        pairs("Nearly the same twice in a part", near.get("within", []), pictures),
    ]
    note = report["near_note"]
    remark = paragraph(f"Near-duplicates: {note}.", kind="absent") if note else ""
    if not any(body) and not remark:
        return missing("No image appears twice, and none nearly so.")
    return Exhibit(join([remark, *body]))


def _shortcuts(report: Report) -> Exhibit:
    if not report["shortcuts"]:
        return missing("There are too few images to tell.")
    lead = (
        "A network may learn a property of the files in place of what they show. Each property "
        "alone predicts the class of other training images with this balanced accuracy. Chance "
        "exceeds the limit once in about 700 cases. A property predicts the class where it is over "
        "the limit and gains a fifth of what is possible."
    )
    rows: list[list[Child]] = [
        [
            fact["property"],
            number(wording.percent(fact["balanced_accuracy"]), bar=fact["balanced_accuracy"]),
            number(wording.percent(fact["chance"])),
            number(wording.percent(fact["limit"])),
            _verdict(fact["predicts"], "predicts the class", "no shortcut"),
        ]
        for fact in report["shortcuts"]
    ]
    head = ["Property", "Balanced accuracy", "Chance", "Limit", "Verdict"]
    return Exhibit(join([paragraph(lead, kind="lead"), table(head, rows)]))


def _drift(report: Report) -> Exhibit:
    if not report["drift"]:
        return missing("There is one part only.")
    lead = (
        "The distance is the largest difference of two parts' distributions, from 0 to 1. The "
        "probability is that of such a distance by chance, over all rows."
    )
    rows: list[list[Child]] = [
        [
            fact["property"],
            " and ".join(fact["parts"]),
            number(f"{fact['distance']:.2f}", bar=fact["distance"]),
            number("< 0.001" if fact["p"] < 0.001 else f"{fact['p']:.3f}"),
            _verdict(fact["differs"], "differs", "alike"),
        ]
        for fact in report["drift"]
    ]
    head = ["Property", "Parts", "Distance", "Probability", "Verdict"]
    return Exhibit(join([paragraph(lead, kind="lead"), table(head, rows)]))


def _verdict(found: bool, yes: str, no: str) -> Markup:
    return tag(
        "span", {"class": "verdict settled" if found else "verdict open"}, yes if found else no
    )
