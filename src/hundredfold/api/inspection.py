"""What `check` writes on request: a page, and a list of images whose label may be wrong."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hundredfold import data as sets
from hundredfold import reports, spec
from hundredfold.api.options import File, path
from hundredfold.data import DataSet, Source, Suspect
from hundredfold.errors import MissingError, UsageError

Out = bool | File | None
_UNASKED = 20_000  # images up to which a page lists label suspects without being asked
_MARK = "– Hundredfold</title>"
_HEAD = 8192  # bytes of a page that hold its title


def destinations(source: Source, name: str, html: Out, suspects: Out) -> dict[str, Path]:
    """Return the files that a check writes: "page" and "suspects", where they are requested.

    html, suspects: a path; True takes check-NAME.html and suspects-NAME.csv in the current
    folder. Raises UsageError for a file within the data, and for one that may be the user's own.
    """
    safe = "".join(c if c.isalnum() or c in "-_." else "-" for c in name)
    asked = {"page": (html, f"check-{safe}.html"), "suspects": (suspects, f"suspects-{safe}.csv")}
    files = {
        kind: Path(default) if value is True else path(value) or Path(default)
        for kind, (value, default) in asked.items()
        if value is not None and value is not False
    }
    for kind, file in files.items():
        _need_free(file, kind, source.folder)
    return files


def inspect(
    text: str, source: Source, report: dict[str, Any], files: Mapping[str, Path]
) -> dict[str, Any]:
    """Write the requested files of a check, and return its report with their paths.

    text: the data set as a recipe names it. Raises MissingError where suspects are requested and
    the pretrained weights are missing.
    """
    total = sum(report["images"].values())
    listed: list[Suspect] | None = None
    note = ""
    if report["problems"]:
        note = "training would refuse these data"
    elif "suspects" not in files and total > _UNASKED:
        note = f"over {_UNASKED:,} images are searched with --suspects only"
    elif files:
        try:
            listed = _suspects(text, source, report)
        except MissingError as error:
            if "suspects" in files:
                raise
            note = error.message
    facts: dict[str, Any] = {"suspects": _counts(listed, note)}
    if "suspects" in files and listed is not None:
        sets.write_suspects(files["suspects"], listed)
        facts["suspects"]["file"] = str(files["suspects"])
    if "page" in files:
        shown = None if listed is None else [s for s in listed if s.likely != s.given]
        pictures = _Pictures(text, source)
        facts["page"] = str(reports.write_check(report | facts, pictures, shown, files["page"]))
    return report | facts


def _counts(listed: list[Suspect] | None, note: str) -> dict[str, Any]:
    count = None if listed is None else sum(s.likely != s.given for s in listed)
    return {"images": count, "note": note, "file": None}


def _suspects(text: str, source: Source, report: Mapping[str, Any]) -> list[Suspect]:
    from hundredfold.engines.pytorch import suspects

    total, side = sum(report["images"].values()), min(report["sizes"]["median"])
    size = suspects.image_size(total, side)
    part = spec.part(text, "hundredfold.data")
    part = part.with_options({"size": size}) if sets.is_own_images(part) else part
    opened = sets.load(part, source)
    return suspects.suspects(opened, source, size)


def _need_free(file: Path, kind: str, folder: Path | None) -> None:
    """Raise UsageError for a file within the data folder, or one that may be the user's own."""
    if folder is not None and file.resolve().is_relative_to(folder.resolve()):
        raise UsageError(
            f"{str(file)!r} is within the data, which are never written to",
            remedy="another folder, or no path for the current one",
        )
    if not file.parent.is_dir():
        raise UsageError(f"there is no folder {str(file.parent)!r}", remedy="make it first")
    if not file.exists():
        return
    if kind == "suspects":
        raise UsageError(
            f"{str(file)!r} is there already, and may hold your corrections",
            remedy="--suspects with another name",
        )
    with file.open("rb") as stream:
        if _MARK.encode() not in stream.read(_HEAD):
            raise UsageError(
                f"{str(file)!r} is there already, and is no page of Hundredfold",
                remedy="--html with another name",
            )


class _Pictures:
    """The pixels of an image by its name in a report; None where it cannot be shown."""

    def __init__(self, text: str, source: Source) -> None:
        self._text, self._source = text, source
        self._opened: DataSet | None = None

    def __call__(self, name: str) -> NDArray[np.uint8] | None:
        if spec.parse(self._text).name == "image_folder":
            return reports.from_file(self._source.folder, name)
        if self._opened is None:
            self._opened = sets.load(self._text, self._source)
        part, _, row = name.rstrip("]").replace("[", "/").partition("/")
        if part not in self._opened.parts or not row.isdecimal():
            return None
        return np.asarray(self._opened.parts[part]().pixels[int(row)])
