"""How to reproduce a run: recipe with every default, command, versions, data, machine."""

import shlex
from collections.abc import Iterable

from hundredfold import wording
from hundredfold.reports.exhibit import Exhibit
from hundredfold.reports.highlight import toml
from hundredfold.reports.html import Child, Markup, join, table, tag
from hundredfold.reports.run_evidence import RunEvidence

TITLE = "Recipe and reproduction"
ORDER = 90


def recipe(evidence: RunEvidence) -> Exhibit:
    """Show the recipe, the command to train it again, and versions, data and machine."""
    body = tag(
        "div",
        {"class": "pair"},
        tag(
            "div",
            {},
            tag("h3", {}, "Recipe"),
            tag("pre", {}, tag("code", {}, toml(evidence.recipe_text))),
        ),
        tag("div", {}, tag("h3", {}, "Train it again"), _commands(evidence), _facts(evidence)),
    )
    return Exhibit(body)


def _commands(evidence: RunEvidence) -> Markup:
    words = ["hundredfold", "train", str(evidence.run.folder / "recipe.toml")]
    if evidence.data.get("folder"):
        words += ["--data-dir", str(evidence.data["folder"])]
    again = shlex.join([*words, "--name", f"{evidence.run.name}-again"])
    command = evidence.info.get("command")
    started_with = command if isinstance(command, str) else shlex.join(map(str, command or ()))
    blocks: list[Child] = [tag("pre", {"class": "command"}, tag("code", {}, again))]
    if started_with:
        blocks += [
            tag("p", {"class": "quiet"}, "It was started with"),
            tag("pre", {"class": "command"}, tag("code", {}, started_with)),
        ]
    return join(blocks)


def _facts(evidence: RunEvidence) -> Markup:
    rows = [
        [name, tag("td", {}, tag("code", {}, value))]
        for name, value in _facts_list(evidence)
        if value
    ]
    return table(["", ""], rows, kind="facts", caption="Versions, data and machine")


def _facts_list(evidence: RunEvidence) -> Iterable[tuple[str, str]]:
    info, data = evidence.info, evidence.data
    for name, version in dict(info.get("versions") or {}).items():
        yield str(name), str(version)
    yield "git", _git(info.get("git"))
    yield "device", str(info.get("device") or "")
    yield "machine", str(info.get("machine") or "")
    yield "threads", str(info.get("threads") or "")
    yield "data", str(data.get("name") or "")
    yield "data digest", str(data.get("digest") or "")[:16]
    counts = [
        f"{wording.count(data[s])} {s}" for s in ("train", "validation", "test") if data.get(s)
    ]
    yield "images", ", ".join(counts)
    yield "started", str(info.get("started") or "")
    yield "finished", str(info.get("finished") or "")
    yield "run", evidence.run.name


def _git(value: object) -> str:
    if isinstance(value, dict):
        changed = " with changes" if value.get("changed") else ""
        return f"{str(value.get('commit') or '')[:12]}{changed}".strip()
    return str(value or "")
