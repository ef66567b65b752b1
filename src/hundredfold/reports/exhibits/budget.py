"""How a budget was spent: what was tried, and what each try reached."""

from collections.abc import Mapping
from typing import Any

from hundredfold import wording
from hundredfold.reports.exhibit import Exhibit
from hundredfold.reports.html import Child, join, paragraph, table, tag
from hundredfold.reports.run_evidence import RunEvidence

TITLE = "How the budget was spent"
ORDER = 75

_WAYS = {
    "head": "a head on features",
    "upper": "the last groups on stored activations",
    "whole": "the whole backbone",
    "scratch": "from random weights",
}


def budget(evidence: RunEvidence) -> Exhibit:
    """List what a budget tried."""
    plan = evidence.info.get("plan")
    rows = [_row(line) for line in plan if isinstance(line, dict)] if isinstance(plan, list) else []
    if not rows:
        return Exhibit(paragraph("Nothing was tried: the recipe was chosen before the training."))
    lead = (
        "Trials are short and leave nothing behind. The accuracy for the end is predicted from "
        "them. The run that is best on the validation images is kept."
    )
    heads = ["", "What is trained", "Network", "Pixels", "Images", "Accuracy", "Predicted", "Time"]
    return Exhibit(join([paragraph(lead), table(heads, rows)]))


def _row(line: Mapping[str, Any]) -> list[Child]:
    def cell(text: str) -> Child:
        return tag("td", {"class": "number"}, text)

    size = line.get("size")
    return [
        str(line.get("stage", "")),
        _WAYS.get(str(line.get("kind")), ""),
        tag("code", {}, str(line.get("model", ""))),
        cell(size if isinstance(size, str) else wording.count(size)),
        cell(wording.count(line.get("images"))),
        cell(wording.percent(line.get("accuracy"))),
        cell(wording.percent(line.get("predicted"))),
        cell(wording.seconds(line.get("seconds"))),
    ]
