"""`hundredfold data`: fetch a data set, or look for what is wrong with one."""

from pathlib import Path
from typing import Any

import cyclopts
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from hundredfold import spec, wording
from hundredfold.data import DataSet, Source, load, place, refuse_folder
from hundredfold.data._check import check_folder, check_set
from hundredfold.data._preview import examples, save_grid
from hundredfold.errors import DataError

app = cyclopts.App(name="data", help="Fetch data sets, and check your own images.")

ROWS, COLUMNS = 8, 9  # of a preview


@app.command
def fetch(name: str, *, data_dir: Path | None = None, json: bool = False) -> dict[str, Any]:
    """Download a data set, check it and decode it, so that training starts at once.

    Parameters
    ----------
    name
        "cifar100", "cifar10", "digits", "shapes(size=64)".
    data_dir
        Where the data set lies, if not in the cache and not to be downloaded.
    json
        Print one JSON object.
    """
    source = _source(data_dir)
    data = load(name, source)
    refuse_folder(data, source)
    counts = {part: len(opened()) for part, opened in data.parts.items()}
    result = {
        "name": data.name,
        "classes": len(data.classes),
        "size": data.size,
        "images": counts,
        "digest": data.digest,
        "cache": str(source.cache),
    }
    if not json:
        held = ", ".join(f"{count:,} {part}" for part, count in counts.items())
        console = Console(highlight=False, soft_wrap=True)
        console.print(f"{data.name}: {held} images, {len(data.classes)} classes, in {source.cache}")
    return result


@app.command
def check(
    what: str,
    *,
    data_dir: Path | None = None,
    augment: str = "",
    preview: Path | None = None,
    json: bool = False,
) -> dict[str, Any]:
    """Look for unreadable files, empty classes, duplicates and the like before training.

    Exit code 3 if training would refuse the data. Files that cannot be read are listed, and
    training leaves them out.

    Parameters
    ----------
    what
        A folder of your images, or a data set ("cifar100").
    data_dir
        Where the data set lies, if not in the cache.
    augment
        Draw what an augmentation does, for example "pad_crop(pixels=4) | flip".
    preview
        The PNG file to draw examples in; preview.png with --augment.
    json
        Print one JSON object.
    """
    chain = spec.parse_chain(augment)
    text, source = place(what, _source(data_dir))
    report = _checked(text, source)
    if (chain or preview) and not report["problems"]:
        report["preview"] = str(preview or Path("preview.png"))
        save_grid(_cells(load(text, source), chain), Path(report["preview"]))
    if not json:
        _tell(report)
    return report | {"exit_code": DataError.exit_code if report["problems"] else 0}


def _source(data_dir: Path | None) -> Source:
    return Source(folder=data_dir) if data_dir else Source()


def _checked(text: str, source: Source) -> dict[str, Any]:
    if spec.parse(text).name == "image_folder" and source.folder is not None:
        return check_folder(source.folder, source.cache)
    data = load(text, source)
    refuse_folder(data, source)
    return check_set(data, source.cache)


def _cells(data: DataSet, chain: tuple[spec.Call, ...]) -> NDArray[np.uint8]:
    """Return rows of images: each as it is and then augmented; or of its class if no augment."""
    if not chain:
        return examples(data.parts["train"](), ROWS, COLUMNS)
    import torch

    from hundredfold import augment

    first = examples(data.parts["train"](), ROWS, 1)[:, 0]
    images = torch.from_numpy(first).permute(0, 3, 1, 2)  # (rows, 3, size, size), channels-last
    labels = torch.eye(len(first))
    change = augment.pipeline(chain)
    made = [images]
    for column in range(1, COLUMNS):
        made.append(change(images, labels, torch.Generator().manual_seed(column))[0])
    return np.asarray(torch.stack(made, dim=1).permute(0, 1, 3, 4, 2))


def _tell(report: dict[str, Any]) -> None:
    """Print a report for people: what was counted, what is wrong, what to do."""
    console = Console(highlight=False, soft_wrap=True, markup=False)
    held = ", ".join(f"{count:,} {part}" for part, count in report["images"].items())
    console.print(f"{report['name']}: {held} images, {len(report['classes']['train'])} classes")
    if sizes := report["sizes"]:
        console.print("sizes: " + ", ".join(f"{k} {w} x {h}" for k, (w, h) in sizes.items()))
    for bad in report["bad"]:
        console.print(f"unreadable: {bad['file']}: {bad['reason']}")
    for kind, groups in report["duplicates"].items():
        for group in groups[:5]:
            console.print(f"same image {_KINDS[kind]}: {', '.join(group)}")
        if len(groups) > 5:
            console.print(f"same image {_KINDS[kind]}: {len(groups) - 5} more (all with --json)")
    _tell_near(console, report["near"])
    for names in report["alike_names"]:
        console.print(f"almost the same name: {', '.join(names)}")
    for problem in report["problems"]:
        console.print(f"problem: {problem}")
    for text in report["advice"]:
        console.print(f"try: {text}")
    if "preview" in report:
        console.print(f"drawn: {report['preview']}")
    if not report["problems"]:
        bad = wording.plural(len(report["bad"]), "unreadable file")
        console.print("ready to train" + (f", without {bad}" if report["bad"] else ""))


def _tell_near(console: Console, near: dict[str, list[dict[str, Any]]] | None) -> None:
    if near is None:
        console.print("near-duplicates: not looked for, there are too many images")
        return
    for kind, pairs in near.items():
        for pair in pairs[:5]:
            console.print(f"nearly the same image {_KINDS[kind]}: {', '.join(pair['files'])}")
        if len(pairs) > 5:
            more = f"{len(pairs) - 5:,} more pairs (all with --json)"
            console.print(f"nearly the same image {_KINDS[kind]}: {more}")


_KINDS = {
    "within": "twice in a part",
    "across": "in several parts",
    "contradicting": "in several classes",
}
