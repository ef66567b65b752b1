"""Print what the fault harness found as the table of docs/reliability.md.

python tests/faults/table.py LOG       LOG is what HUNDREDFOLD_FAULTS_LOG named
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path


def table(lines: Iterable[str]) -> str:
    """Return a Markdown table: one row a promise, its trials added up over all tests."""
    rows: dict[str, dict[str, object]] = {}
    for line in lines:
        found = json.loads(line)
        row = rows.setdefault(found["promise"], {"tried": 0, "held": 0, "measured": []})
        row["tried"] += found["tried"]
        row["held"] += found["held"]
        if found["measured"] and found["measured"] not in row["measured"]:
            row["measured"].append(found["measured"])
    text = ["| what was done | held | measured |", "|---|---|---|"]
    for promise, row in rows.items():
        measured = "; ".join(row["measured"])
        text.append(f"| {promise} | {row['held']} of {row['tried']} | {measured} |")
    return "\n".join(text)


if __name__ == "__main__":
    sys.stdout.write(table(Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()) + "\n")
