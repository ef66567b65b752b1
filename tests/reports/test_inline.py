"""Drawings in a notebook look as on the page, without a style sheet."""

import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from hundredfold import reports
from hundredfold.recipe import Recipe
from hundredfold.reports.charts._marks import drawing, path, text
from hundredfold.reports.charts._standalone import chart_css
from hundredfold.reports.html import Markup
from hundredfold.reports.plain_svg import inlined
from hundredfold.run import Run


def declarations(style: str) -> dict[str, str]:
    return dict(one.split(":", 1) for one in style.split(";") if one)


def test_an_element_gets_what_the_style_sheet_says_of_its_classes() -> None:
    made = drawing(
        100,
        50,
        "a < b",
        path([(0, 0), (1, 1)], "line c1 thin"),
        text(1, 2, "x & y", "name fill c2"),
    )
    root = ElementTree.fromstring(inlined(made))
    line, words = root[0], root[1]
    colours = dict(re.findall(r"--(\w+):(#\w+)", chart_css()))
    assert declarations(line.get("style", "")) == {
        "fill": "none", "stroke": colours["c1"], "stroke-width": "1", "stroke-linejoin": "round",
        "stroke-linecap": "round", "opacity": ".55",
    }  # fmt: skip
    style = declarations(words.get("style", ""))
    assert (style["fill"], style["stroke"]) == (colours["c2"], "none")
    assert words.text == "x & y"
    assert (root.get("width"), root.get("height"), root.get("aria-label")) == ("100", "50", "a < b")


def test_every_rule_of_the_style_sheet_is_known_to_it() -> None:
    """A selector of another kind than element and classes would be lost without a word."""
    css = re.sub(r":root\{[^}]*\}", "", chart_css())
    for selectors in re.findall(r"([^{}]+)\{", css):
        for selector in selectors.split(","):
            assert re.fullmatch(r"\.chart( [a-z]*(\.[\w-]+)*)?", selector.strip()), selector


@pytest.fixture
def named(tmp_path: Path, make_run: Callable[..., Run]) -> Run:
    what = Recipe(title='<script>alert("x")</script> & co')
    made = make_run(tmp_path, what, status="stopped", scores={"validation.top_1": 0.5})
    rows = '{"epoch": 1, "train.loss": 2.0, "validation.top_1": 0.4, "seconds": 1.0}\n'
    (made.folder / "curve.jsonl").write_text(rows, encoding="utf-8")
    return made


def test_what_a_run_is_called_cannot_become_markup(named: Run) -> None:
    page = reports.run_html(named)
    assert "<script" not in page and "&lt;script&gt;" in page
    assert "50.0 %" in page and "stopped" in page
    ElementTree.fromstring(Markup(page))


def test_a_run_with_damaged_files_still_shows_itself(named: Run) -> None:
    (named.folder / "run.json").write_text("{", encoding="utf-8")
    assert "cannot be read" in reports.run_html(named)
