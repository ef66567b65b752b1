"""Docstrings of this project as Markdown."""

import inspect
import re

_ENTRY = re.compile(
    r"^(?P<name>\*{0,2}\w+(?:, \*{0,2}\w+)*): +(?=\S)"
)  # "depth: layers of a block."
_SECTION = re.compile(r"^(Parameters|Returns|Raises|Yields)\n-+\n", re.MULTILINE)


def markdown(doc: str | None) -> str:
    """Return a docstring as Markdown.

    Lines such as "depth: layers of a block." become a list. A block that is indented, as a
    drawing or a table is, stays as it is written.
    """
    text = _SECTION.sub(r"**\1**\n\n", inspect.cleandoc(doc or ""))
    blocks = re.split(r"\n\s*\n", text)
    return "\n\n".join(_block(block) for block in blocks if block.strip()) + "\n"


def _block(block: str) -> str:
    lines = block.splitlines()
    if all(line.startswith("    ") for line in lines):
        return "```text\n" + inspect.cleandoc("\n" + block) + "\n```"
    if len(lines) > 1 and _is_drawing(lines[1:]):
        return f"{lines[0]}\n\n```text\n" + inspect.cleandoc("\n" + "\n".join(lines[1:])) + "\n```"
    if _is_numpy_list(lines):
        return _numpy_list(lines)
    return "\n".join(_line(line) for line in lines)


def _line(line: str) -> str:
    entry = _ENTRY.match(line)
    if not entry:
        return line.replace("<", "&lt;")
    return f"- `{entry['name']}`: {line[entry.end() :]}".replace("<", "&lt;")


def _is_drawing(lines: list[str]) -> bool:
    return all(line.startswith("    ") for line in lines) and not _ENTRY.match(lines[0])


def _is_numpy_list(lines: list[str]) -> bool:
    names = [line for line in lines if not line.startswith(" ")]
    return len(lines) > 1 and len(names) < len(lines) and all(n.isidentifier() for n in names)


def _numpy_list(lines: list[str]) -> str:
    return "\n".join(f"  {e.strip()}" if e.startswith(" ") else f"- `{e}`:" for e in lines)
