"""What is wrong with how a command ended: the promises, one function."""

import base64
import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hostile.case import COLOUR, SCRIPT, SECRET, Case

SECONDS, BYTES = 5.0, 1 << 30  # over the harmless command; over the start
KINDS = ("internal", "slow", "memory", "effects", "words")
_COMPUTED = ("=", "+", "-", "@", "\t", "\r")
_NUMBER = re.compile(r"[-+]?[\d.,]+(e[-+]?\d+)?%?")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_LETTERS, _LINES = 2000, 9  # of an error


@dataclass(frozen=True)
class End:
    """How a command ended: exit code, processor seconds, bytes over its start, what it printed."""

    code: int
    seconds: float
    bytes: int
    hung: bool
    stdout: bytes
    stderr: bytes


def broken(
    case: Case, end: End, harmless: float, changed: list[str], world: Path
) -> Iterator[tuple[str, str]]:
    """Yield (kind, words) for each promise that was broken.

    harmless: seconds that the command takes in a harmless world.
    changed:  all paths that it changed.
    """
    said = end.stderr.decode("utf-8", "replace")
    if end.hung:
        yield "slow", "does not end"
    elif end.seconds > harmless + SECONDS:
        yield "slow", f"{end.seconds:.1f} s, harmless {harmless:.1f} s"
    if end.bytes > BYTES:
        yield "memory", f"{end.bytes / 1e9:.1f} GB"
    if not end.hung and (end.code not in case.codes or "Traceback" in said):
        yield "internal", f"exit {end.code}: {said.strip()[-300:]}"
    if forbidden := [path for path in changed if not case.may(path)]:
        yield "effects", f"changed {', '.join(forbidden[:4])}"
    written = [world / p for p in changed if (world / p).is_file() and not (world / p).is_symlink()]
    if shown := _shown(end, written):
        yield "effects", f"shows what lies outside: {shown}"
    yield from (("words", fault) for fault in _words(case, end, said))
    yield from (("words", fault) for fault in _formulas(case, end, written))


def _words(case: Case, end: End, said: str) -> Iterator[str]:
    for name, text in (("stdout", end.stdout.decode("utf-8", "replace")), ("stderr", said)):
        if found := _CONTROL.search(text):
            around = text[max(found.start() - 30, 0) : found.start() + 10]
            yield f"control character on {name}: {around!r}"
    if end.hung or end.code not in case.codes:
        return
    errors = [part for part in said.split("\n") if part.startswith("error: ")]
    silent = (case.before or case.inject) and not said  # as where stderr is closed
    if end.code not in (0, 3) and len(errors) != 1 and not silent:
        yield f"{len(errors)} errors are told with exit {end.code}: {said[-200:]!r}"
    if end.code == 0 and errors:
        yield f"an error is told with exit 0: {said[-200:]!r}"
    message = said[said.find("error: ") :] if errors else ""
    if len(message) > _LETTERS or message.count("\n") > _LINES:
        lines = message.count("\n")
        yield f"an error of {len(message):,} letters in {lines} lines: {message[:100]!r}"
    unheard = case.before and not end.stdout  # as where stdout is closed
    if "--json" in case.argv and end.code in case.codes and not case.inject and not unheard:
        try:
            json.loads(end.stdout)
        except ValueError:
            yield f"stdout is no JSON: {end.stdout[:80]!r}"


def _shown(end: End, written: list[Path]) -> str:
    """Return where a text or a picture from outside is shown, or "" where none is."""
    for name, text in (("stdout", end.stdout), ("stderr", end.stderr)):
        if SECRET.encode() in text:
            return name
    for page in (path for path in written if path.suffix in (".html", ".svg")):
        text = page.read_bytes()
        if SECRET.encode() in text or SCRIPT.encode() in text or _pictured(text):
            return page.name
    return ""


def _formulas(case: Case, end: End, written: list[Path]) -> Iterator[str]:
    """Yield words on the first cell of each table that a spreadsheet would compute."""
    tables = {path.name: path.read_bytes() for path in written if path.suffix == ".csv"}
    if case.argv[:1] == ("predict",) and "--json" not in case.argv and end.code == 0:
        tables["stdout"] = end.stdout
    for name, content in tables.items():
        cells = _cells(content.decode("utf-8", "replace"))
        computed = (c for c in cells if c[:1] in _COMPUTED and not _NUMBER.fullmatch(c))
        if found := next(computed, None):
            yield f"a formula in {name}: {found[:40]!r}"


def _cells(text: str) -> Iterator[str]:
    try:
        for row in csv.reader(io.StringIO(text)):
            yield from row
    except csv.Error:
        return


def _pictured(page: bytes) -> bool:
    from PIL import Image

    for found in re.findall(rb"data:image/(?:png|jpeg|webp);base64,([A-Za-z0-9+/=]+)", page):
        with Image.open(io.BytesIO(base64.b64decode(found))) as image:
            colours = image.convert("RGB").getcolors(1 << 24) or []
        near = [
            n for n, c in colours if all(abs(a - b) < 24 for a, b in zip(c, COLOUR, strict=True))
        ]
        if sum(near) > 64:
            return True
    return False
