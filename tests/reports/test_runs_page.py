"""The page of all runs: one row each, links to what is there, damaged ones with their reason."""

import json
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from hundredfold.cli import main
from hundredfold.recipe import Recipe
from hundredfold.run import Run


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.rows = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.rows += tag == "tr"
        self.links += [v or "" for k, v in attrs if tag == "a" and k == "href"]
        assert tag not in ("link", "iframe") and not any(k == "src" for k, _ in attrs)


def test_every_run_is_a_row_and_links_to_its_page(
    elsewhere: Path, make_run: Callable[..., Run], capsys: pytest.CaptureFixture[str]
) -> None:
    scores = {"validation.top_1": 0.5}
    one = make_run(Path("runs"), Recipe(), name="a <b> & c", scores=scores)
    (one.folder / "report.html").write_text("")
    (one.folder / "curve.jsonl").write_text(
        "".join(json.dumps({"epoch": k, "validation.top_1": k / 9}) + "\n" for k in (1, 2, 3))
    )
    broken = make_run(Path("runs"), Recipe(seed=1), name="broken")
    (broken.folder / "run.json").write_text("{")
    assert main(["runs", "--html"]) == 0
    assert capsys.readouterr().out == "runs/index.html\n"
    text = Path("runs/index.html").read_text()
    page = _Page(text)
    assert page.rows == 3
    assert "a%20%3Cb%3E%20%26%20c/report.html" in page.links
    assert "damaged" in text and "a &lt;b&gt; &amp; c" in text
    assert text.count('class="chart spark"') == 1
    assert main(["runs", "--html", "pages/all.html", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["page"] == "pages/all.html"
    (link,) = [x for x in _Page(Path("pages/all.html").read_text()).links if "report" in x]
    assert link.startswith("file://")


def test_a_folder_without_runs_has_a_page_too(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["runs", "--html", "--out", "none"]) == 0
    assert "no runs here yet" in Path("none/index.html").read_text()
