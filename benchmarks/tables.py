"""Write the tables of README.md and docs from the records in `benchmarks/results`.

    python benchmarks/tables.py            # rewrite what stands between the marks
    python benchmarks/tables.py --check    # exit 1 where a page differs from its records

A page marks a table with `<!-- table: NAME -->` and `<!-- end -->`. `tables.toml` says which
records and columns NAME has. A column is a template, `{path:format}`: the path goes into the
record by slashes, the format is one of `FORMATS`, with `.digits` where that matters. A record
with "rows" gives a line a row, another gives one line. Below a table stand the facts that its
lines share, the commands and the records.
"""

import argparse
import html
import json
import os
import re
import string
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent
REGION = re.compile(r"(<!-- table: ([\w-]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
SHARED = {"machine": "{}", "threads": "{} threads", "precision": "{}", "date": "{}", "n": "n = {}"}

Record = Mapping[str, Any]
Table = Mapping[str, Any]


class MissingValueError(KeyError):
    """A record has no such value, so its cell stays empty."""


def percent(value: float, digits: int = 2) -> str:
    return f"{100 * value:.{digits}f} %"


def interval(value: Record, digits: int = 2) -> str:
    """Return a fraction with its 95 % interval: "75.12 % (74.77 to 75.47)"."""
    text = percent(value["value"], digits)
    if value.get("low") is None:
        return text
    return f"{text} ({100 * value['low']:.{digits}f} to {100 * value['high']:.{digits}f})"


def points(value: Record, digits: int = 1) -> str:
    """Return a difference of fractions in points: "+5.6 points (3.3 to 8.0)"."""
    text = f"{100 * value['value']:+.{digits}f} points"
    if value.get("low") is None:
        return text
    return f"{text} ({100 * value['low']:.{digits}f} to {100 * value['high']:.{digits}f})"


def ratio(value: Record, digits: int = 2) -> str:
    """Return a ratio with the smallest and largest: "1.38x (1.34 to 1.39)"."""
    low, high = (f"{value[bound]:.{digits}f}" for bound in ("low", "high"))
    return f"{value['value']:.{digits}f}x ({low} to {high})"


def duration(value: float | Record, digits: int = 3) -> str:
    """Return seconds as "8.2 s", "7 min 26 s" or "57 h 20 min"; a spread has its ends too."""
    if isinstance(value, Mapping):
        text = duration(value["value"], digits)
        ends = [duration(value[end], digits) for end in ("low", "high") if value.get("n", 1) > 1]
        return f"{text} ({' to '.join(ends)})" if ends else text
    if value < 60:
        return f"{value:.{digits}g} s"
    minutes, seconds = divmod(round(value), 60)
    hours, rest = divmod(round(value / 60), 60)
    return f"{minutes} min {seconds} s" if value < 3600 else f"{hours} h {rest} min"


def number(value: float, digits: int = 0) -> str:
    return f"{value:,.{digits}f}"


def percents(value: Sequence[float], digits: int = 2) -> str:
    return ", ".join(f"{100 * one:.{digits}f}" for one in value) + " %"


def durations(value: Sequence[float], digits: int = 3) -> str:
    return ", ".join(duration(one, digits) for one in value)


FORMATS: dict[str, Callable[..., str]] = {
    form.__name__: form
    for form in (percent, interval, points, ratio, duration, number, percents, durations)
}


class Template(string.Formatter):
    """Fill a column's template from a line of a record."""

    def get_field(self, field_name: str, args: Any, kwargs: Any) -> tuple[Any, str]:  # noqa: ARG002
        value: Any = kwargs
        for key in field_name.split("/"):
            if not isinstance(value, Mapping) or value.get(key) is None:
                raise MissingValueError(field_name)
            value = value[key]
        return value, field_name

    def format_field(self, value: Any, format_spec: str) -> str:
        name, _, digits = format_spec.partition(".")
        if not name:
            return str(value)
        return FORMATS[name](value, int(digits)) if digits else FORMATS[name](value)


def cell(template: str, line: Record) -> str:
    """Return a filled template, empty where the line lacks one of its values."""
    try:
        return Template().vformat(template, (), line)
    except MissingValueError:
        return ""


def lines_of(table: Table, results: Path) -> list[Record]:
    """Return the records' rows, each over its record; `where` keeps those with such values."""
    wanted = table.get("where", {})
    found: list[Record] = []
    for name in table["records"]:
        record = json.loads((results / f"{name}.json").read_text(encoding="utf-8"))
        rows = [record | row for row in record.get("rows", [{}])]
        found += [row for row in rows if all(row.get(key) in wanted[key] for key in wanted)]
    return found


def shared(table: Table, lines: Sequence[Record]) -> str:
    """Return what every line shares of machine, threads, precision, date and n.

    Raises ValueError where a machine, date or n differs between lines and has no column.
    """
    templates = " ".join(table["columns"].values())
    texts = []
    for key, text in SHARED.items():
        values = {str(line[key]) for line in lines if key in line}
        if f"{{{key}}}" in templates:
            continue
        if len(values) == 1:
            texts.append(text.format(*values).replace("1 threads", "1 thread"))
        elif key in ("machine", "date", "n"):
            raise ValueError(f"its lines differ in {key}, which needs a column")
    return " · ".join(texts)


def rendered(table: Table, page: Path, results: Path) -> str:
    """Return the table as Markdown, with what a reader needs to measure it anew."""
    lines = lines_of(table, results)
    columns = table["columns"]
    rows = [list(columns), ["---"] * len(columns)]
    rows += [[cell(template, line) for template in columns.values()] for line in lines]
    text = "".join("|" + "".join(f" {c} |" if c else " |" for c in row) + "\n" for row in rows)
    facts = shared(table, lines)
    if not table.get("commands", True):
        return f"{text}\n{facts}\n" if facts else text
    commands = dict.fromkeys(command for line in lines for command in line["command"])
    cited = links(table, page, results)
    line = f"{facts} · {cited}" if facts else f"R{cited[1:]}"
    return f"{text}\n{line}\n{block(list(commands))}\n"


def block(commands: Sequence[str]) -> str:
    """Return the commands in one line: a code span, or for several an element to open."""
    if len(commands) == 1:
        return f"· `{commands[0]}`"
    codes = "<br>".join(f"<code>{html.escape(one, quote=False)}</code>" for one in commands)
    return f"<details><summary>commands</summary>{codes}</details>"


def links(table: Table, page: Path, results: Path) -> str:
    folder = Path(os.path.relpath(results, page.parent)).as_posix()
    names = dict.fromkeys(table["records"])
    return "records: " + ", ".join(f"[{n}]({folder}/{n}.json)" for n in names)


def rewritten(page: Path, tables: Mapping[str, Table], results: Path) -> str:
    """Return a page with every marked table made anew. Raises ValueError for a table's fault."""

    def region(match: re.Match[str]) -> str:
        name = match[2]
        if name not in tables:
            raise ValueError(f"{page.name}: there is no table {name!r} in tables.toml")
        try:
            return f"{match[1]}{rendered(tables[name], page, results)}{match[4]}"
        except (ValueError, KeyError, OSError) as error:
            raise ValueError(f"{page.name}, table {name!r}: {error}") from error

    return REGION.sub(region, page.read_text(encoding="utf-8"))


def pages(repository: Path) -> Iterator[Path]:
    yield repository / "README.md"
    yield from sorted((repository / "docs").rglob("*.md"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="only compare; exit 1 at a difference")
    parser.add_argument("--repository", type=Path, default=REPOSITORY)
    options = parser.parse_args()
    folder = options.repository / "benchmarks"
    tables = tomllib.loads((folder / "tables.toml").read_text(encoding="utf-8"))
    try:
        texts = {p: rewritten(p, tables, folder / "results") for p in pages(options.repository)}
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    differing = [p for p, text in texts.items() if text != p.read_text(encoding="utf-8")]
    if not options.check:
        for page in differing:
            page.write_text(texts[page], encoding="utf-8")
        return 0
    names = ", ".join(page.relative_to(options.repository).as_posix() for page in differing)
    if names:
        sys.stderr.write(f"{names}: not the tables of benchmarks/results; run {sys.argv[0]}\n")
    return 1 if names else 0


if __name__ == "__main__":
    sys.exit(main())
