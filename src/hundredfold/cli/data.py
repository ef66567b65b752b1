"""`hundredfold data`: fetch a data set, or check one for problems."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import cyclopts
from cyclopts import Parameter
from rich.console import Console

from hundredfold import spec, wording
from hundredfold.api import images
from hundredfold.errors import DataError

app = cyclopts.App(name="data", help="Fetch data sets, and check your own images.")

_OPTIONAL = Parameter(consume_multiple=(0, 1), negative=(), show_default="none")
_CLASSES = 10  # whose counts are printed; all are in the JSON
_NAMES = ", ".join(spec.names("hundredfold.data")) + "; with options as in shapes(size=64)."


@app.command
def fetch(
    name: Annotated[str, Parameter(help=_NAMES)],
    *,
    data_dir: Annotated[Path | None, Parameter(show_default="none")] = None,
    json: bool = False,
) -> dict[str, Any]:
    """Download, check and decode a data set, so that training starts immediately.

    Parameters
    ----------
    data_dir
        Folder of the data set, instead of the cache and a download.
    json
        Print one JSON object.
    """
    facts = images.fetch(name, data_dir=data_dir)
    if not json:
        counts = ", ".join(f"{count:,} {part}" for part, count in facts["images"].items())
        console = Console(highlight=False, soft_wrap=True, markup=False, color_system=None)
        where = f"{facts['classes']} classes, in {facts['cache']}"
        console.print(f"{facts['name']}: {counts} images, {where}")
    return facts


@Parameter(name="*")
@dataclass(frozen=True)
class Labelling:
    """Where images, labels and groups are, as for `train`."""

    image_column: Annotated[
        str, Parameter(show_default="found", help="The column of a table that names the images.")
    ] = ""
    label_column: Annotated[
        str, Parameter(show_default="found", help="The column of a table that holds the labels.")
    ] = ""
    label_pattern: Annotated[
        str, Parameter(show_default="none", help='Labels in the names of files, as in "{label}_*".')
    ] = ""
    group: Annotated[
        str,
        Parameter(
            show_default="none",
            help="What must stay within one split: a column of the table, or a pattern of file "
            "names.",
        ),
    ] = ""
    labels: Annotated[str, Parameter(show_default="none", help="A CSV of corrected labels.")] = ""


_AS_FOUND = Labelling()


@app.command
def check(
    what: str,
    *,
    data_dir: Annotated[Path | None, Parameter(show_default="none")] = None,
    augment: str = "",
    preview: Annotated[Path | None, Parameter(show_default="none")] = None,
    html: Annotated[list[Path] | None, _OPTIONAL] = None,
    suspects: Annotated[list[Path] | None, _OPTIONAL] = None,
    labelling: Labelling = _AS_FOUND,
    json: bool = False,
) -> dict[str, Any]:
    """Check data before training: unreadable files, empty classes, duplicates and more.

    The exit code is 3 if training would refuse the data. Unreadable files are listed, and
    training leaves them out.

    Parameters
    ----------
    what
        A folder, an archive or a table of your images, or a data set ("cifar100").
    data_dir
        Folder of the data set, if not in the cache; of the images that a table names.
    augment
        Show the effect of an augmentation, for example "pad_crop(pixels=4) | flip".
    preview
        The PNG file for examples; preview.png with --augment.
    html
        Write a page with pictures: counts, samples, duplicates, shortcuts, label suspects;
        check-NAME.html in the current folder unless a path follows.
    suspects
        Write a CSV of images, the most likely wrong label first: file, split, given, likely,
        probability; suspects-NAME.csv unless a path follows. Correct it and pass it to train.
        Text that a spreadsheet would compute, such as =1+1, begins with an apostrophe.
    json
        Print one JSON object.
    """
    report = images.check(
        what,
        data_dir=data_dir,
        augment=augment,
        preview=preview,
        html=_path(html),
        suspects=_path(suspects),
        **asdict(labelling),
    )
    if not json:
        _print_report(report)
    return report | {"exit_code": DataError.exit_code if report["problems"] else 0}


def _path(words: list[Path] | None) -> Path | bool:
    """Return the path after a flag, True for the flag alone, False without it."""
    return bool(words is not None) if not words else words[0]


def _print_report(report: dict[str, Any]) -> None:
    """Print a report as text: counts, problems, advice."""
    console = Console(highlight=False, soft_wrap=True, markup=False, color_system=None)
    counts = ", ".join(f"{count:,} {part}" for part, count in report["images"].items())
    console.print(f"{report['name']}: {counts} images, {len(report['classes']['train'])} classes")
    counts = _class_counts(report["classes"]["train"])
    console.print(wording.one_line(f"training images of each class: {counts}"))
    if sizes := report["sizes"]:
        console.print("sizes: " + ", ".join(f"{k} {w} x {h}" for k, (w, h) in sizes.items()))
    console.print(f"files: {_file_counts(report['files'])}")
    for note in report["notes"]:
        console.print(wording.one_line(f"note: {note}"))
    for bad in report["bad"]:
        console.print(wording.one_line(f"unreadable: {bad['file']}: {bad['reason']}"))
    for kind, groups in report["duplicates"].items():
        for group in groups[:5]:
            console.print(wording.one_line(f"same image {_KINDS[kind]}: {', '.join(group)}"))
        if len(groups) > 5:
            console.print(f"same image {_KINDS[kind]}: {len(groups) - 5} more (all with --json)")
    _print_near(console, report["near"] or {})
    if report["near_note"]:
        console.print(f"near-duplicates: {report['near_note']}")
    for names in report["alike_names"]:
        console.print(f"almost the same name: {', '.join(names)}")
    for problem in report["problems"]:
        console.print(f"problem: {problem}")
    for text in report["advice"]:
        console.print(f"try: {text}")
    _print_suspects(console, report["suspects"])
    if "page" in report:
        console.print(f"page: {report['page']}")
    if "preview" in report:
        console.print(f"drawn: {report['preview']}")
    if not report["problems"]:
        bad = wording.plural(len(report["bad"]), "unreadable file")
        console.print("ready to train" + (f", without {bad}" if report["bad"] else ""))


def _file_counts(files: dict[str, Any]) -> str:
    """Return how many files are used, left out and passed over; together they are all."""
    passed = sum(files["passed_over"].values())
    return f"{files['used']:,} used, {len(files['left_out']):,} left out, {passed:,} passed over"


def _class_counts(train: dict[str, int]) -> str:
    """Return the classes with their counts, the largest first; of many the ends only."""
    ordered = sorted(train.items(), key=lambda entry: -entry[1])
    texts = [f"{name} {count:,}" for name, count in ordered]
    if len(texts) > _CLASSES:
        texts = [*texts[: _CLASSES // 2], "...", *texts[-_CLASSES // 2 :]]
    return ", ".join(texts)


def _print_near(console: Console, near: dict[str, list[dict[str, Any]]]) -> None:
    for kind, pairs in near.items():
        for pair in pairs[:5]:
            console.print(
                wording.one_line(
                    f"nearly the same image {_KINDS[kind]}: {', '.join(pair['files'])}"
                )
            )
        if len(pairs) > 5:
            more = f"{len(pairs) - 5:,} more pairs (all with --json)"
            console.print(f"nearly the same image {_KINDS[kind]}: {more}")


def _print_suspects(console: Console, suspects: dict[str, Any]) -> None:
    if suspects["images"] is not None:
        where = f", most suspect first in {suspects['file']}" if suspects["file"] else ""
        count = wording.plural(suspects["images"], "image looks", "images look")
        console.print(f"label suspects: {count} more like another class{where}")


_KINDS = {
    "within": "twice in a part",
    "across": "in several parts",
    "contradicting": "in several classes",
}
