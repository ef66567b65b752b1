"""`hundredfold doctor`: the resources of this machine, and obstacles to a training."""

import sys
from pathlib import Path
from typing import Any

from hundredfold import wording
from hundredfold.api.doctor import advice, examine
from hundredfold.cli._table import table


def doctor(*, out: Path = Path("runs"), json: bool = False) -> dict[str, Any]:
    """Check this machine: cores, precision, memory, disk, data; and advise what to fix.

    Parameters
    ----------
    out
        The folder of the runs.
    json
        Print one JSON object.
    """
    facts = examine(out)
    obstacles = advice(facts)
    if not json:
        rows = [
            (f"{group} {_word(k)}", _shown(k, v))
            for group, d in facts.items()
            for k, v in d.items()
        ]
        rows = [row for row in rows if row[1]]
        sys.stdout.write(table(("", ""), rows, left=2).lstrip("\n") + "\n")
        sys.stdout.write("".join(f"advice: {line}\n" for line in obstacles) or "no problems\n")
    return {**facts, "advice": obstacles}


def _shown(key: str, value: Any) -> str:
    if key.endswith("bytes"):
        return wording.memory(value)
    if isinstance(value, list):
        return " ".join(map(str, value)) or "none"
    return "" if value is None else str(value)


def _word(key: str) -> str:
    return key.removesuffix("_bytes").replace("bytes", "size").replace("_", " ")
