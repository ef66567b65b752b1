"""Pictures of a data check's page: samples of classes, duplicates, label suspects."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hundredfold import wording
from hundredfold.data import Suspect
from hundredfold.reports.exhibit import Exhibit, missing
from hundredfold.reports.html import Markup, details, join, paragraph, tag
from hundredfold.reports.pictures import picture

Pictures = Callable[[str], NDArray[np.uint8] | None]

_CLASSES = 60  # classes whose samples are shown
_GROUPS = 24  # duplicates of a kind that are shown as pictures; the rest by name
_PER_GROUP = 4  # images of a group of duplicates
_NAMED = 500  # duplicates of a kind that are named
_SUSPECTS = 96
_SIDE = 192  # pixels of a picture


def grids(report: Mapping[str, Any], pictures: Pictures) -> Exhibit:
    """Show each class with its counts in each part and sample images."""
    classes = report["classes"]
    names = sorted({name for counts in classes.values() for name in counts})
    shown = names[:: -(-len(names) // _CLASSES)] if names else []
    lead = f"Samples of the training images of {wording.plural(len(shown), 'class', 'classes')}"
    lead += f", spread over all {len(names)}." if len(shown) < len(names) else "."
    rows = [_class(name, classes, report["samples"].get(name, ()), pictures) for name in shown]
    return Exhibit(join([paragraph(lead, kind="lead"), *rows]))


def _class(
    name: str, classes: Mapping[str, Mapping[str, int]], files: Sequence[str], pictures: Pictures
) -> Markup:
    counts = [f"{wording.count(of[name])} {part}" for part, of in classes.items() if of.get(name)]
    heading = tag("h3", {}, name, tag("small", {}, ", ".join(counts) or "no images"))
    samples = (_figure(file, pictures) for file in files)
    return tag("div", {"class": "sample"}, heading, tag("div", {"class": "strip"}, *samples))


def _figure(file: str, pictures: Pictures, *caption: Markup | str) -> Markup:
    """Return a picture with its file name below, and as a title."""
    pixels = pictures(file)
    image = tag("span", {"class": "blank"}) if pixels is None else picture(pixels, file, _SIDE)
    name = tag("span", {"class": "file"}, file)
    return tag("figure", {"title": file}, image, tag("figcaption", {}, *caption, name))


def pairs(title: str, groups: Sequence[Any], pictures: Pictures) -> Markup:
    """Return groups of duplicates side by side with their file names; nothing for no groups.

    groups: lists of file names, or dictionaries with "files", "agreement" and maybe "classes".
    """
    if not groups:
        return Markup()
    cards = [_group(group, pictures) for group in groups[:_GROUPS]]
    rest = groups[_GROUPS : _GROUPS + _NAMED]
    items = (tag("li", {}, tag("code", {}, ", ".join(_names(group)))) for group in rest)
    over = len(groups) - _GROUPS - len(rest)
    note = f"{len(groups) - _GROUPS:,} more" + (f", {over:,} of them in --json only" * bool(over))
    more = details(note, tag("ul", {"class": "notes"}, *items)) if rest else ""
    heading = tag("h3", {}, f"{title}: {len(groups):,}")
    return join([heading, tag("div", {"class": "groups"}, *cards), more])


def _names(group: Any) -> list[str]:
    return list(group["files"] if isinstance(group, Mapping) else group)


def _group(group: Any, pictures: Pictures) -> Markup:
    names = _names(group)
    facts = group if isinstance(group, Mapping) else {}
    classes = facts.get("classes", ())
    shown = [
        _figure(name, pictures, *([tag("b", {}, classes[k])] if classes else []))
        for k, name in enumerate(names[:_PER_GROUP])
    ]
    notes = [f"agreement {facts['agreement']:.3f}"] if facts else []
    notes += [f"and {len(names) - _PER_GROUP} more"] if len(names) > _PER_GROUP else []
    return tag(
        "div",
        {"class": "group"},
        tag("div", {"class": "strip"}, *shown),
        paragraph(", ".join(notes), kind="quiet") if notes else "",
    )


def suspect_cards(suspects: Sequence[Suspect], pictures: Pictures) -> Exhibit:
    """Show the images whose label is most likely wrong, with given and likely label."""
    if not suspects:
        return missing("No label is suspect: every image looks most like its own class.")
    shown = suspects[:_SUSPECTS]
    lead = (
        f"The {wording.plural(len(shown), 'image')} of {len(suspects):,} whose label is most "
        "suspect. Bold is the label that similar images have, with its probability; below it the "
        "given label. A person has to decide: many of these labels are right. Correct the column "
        "“given” of the CSV file and pass it with --labels."
    )
    cards = (
        _figure(
            suspect.file,
            pictures,
            tag("b", {}, suspect.likely),
            tag("span", {"class": "number"}, " " + wording.percent(suspect.probability, 0)),
            tag("span", {"class": "true"}, f"given {suspect.given}, {suspect.split}"),
        )
        for suspect in shown
    )
    return Exhibit(join([paragraph(lead, kind="lead"), tag("div", {"class": "gallery"}, *cards)]))
