"""A page is whole: it parses, fetches nothing, escapes everything, and says what is missing."""

import itertools
import json
import re
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from hundredfold import reports, spec
from hundredfold.data import DataSet, Source
from hundredfold.errors import UsageError
from hundredfold.reports.exhibits import sections
from hundredfold.reports.run_evidence import RunEvidence
from hundredfold.reports.study_evidence import StudyEvidence
from hundredfold.run import Run

VOID = {"br", "hr", "img", "input", "link", "meta"}


class Reader(HTMLParser):
    """Follow a page's tags: every one that opens must close, in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self.open):
            self.words += data

    def attributes(self, name: str) -> list[str]:
        return [str(found[name]) for _, found in self.seen if name in found]

    def tags(self, name: str) -> list[dict[str, str | None]]:
        return [found for tag, found in self.seen if tag == name]


def read(folder: Path) -> Reader:
    return Reader((folder / "report.html").read_text(encoding="utf-8"))


@pytest.fixture(params=["digits_run", "shapes_run", "study"])
def folder(request: pytest.FixtureRequest) -> Path:
    """Each kind of page in turn."""
    made = request.getfixturevalue(request.param)
    return made if isinstance(made, Path) else made.folder


def test_every_tag_closes_in_order(folder: Path) -> None:
    assert read(folder).open == []


def test_a_page_fetches_nothing(folder: Path) -> None:
    page = read(folder)
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert "http:" not in text
    assert "https:" not in text
    assert not page.tags("link")
    assert all(source.startswith("data:image/png;base64,") for source in page.attributes("src"))
    assert all(h.startswith(("#", "../")) for h in page.attributes("href"))
    assert "@import" not in text
    assert "url(" not in text
    policy = next(m for m in page.tags("meta") if m.get("http-equiv"))
    assert "default-src 'none'" in str(policy["content"])


def test_no_number_is_missing_its_digits(folder: Path) -> None:
    words = read(folder).words
    for wrong in ("NaN", "nan %", "None", "inf", "Infinity", "undefined"):
        assert not re.search(rf"\b{wrong}\b", words), wrong
    drawn = "".join(path.read_text() for path in (folder / "figures").glob("*.svg"))
    assert not re.search(r"=\"[^\"]*\b(nan|inf)\b", drawn)


def test_ids_are_unique_and_the_contents_point_to_them(folder: Path) -> None:
    page = read(folder)
    ids = page.attributes("id")
    assert len(ids) == len(set(ids))
    inside = {h.removeprefix("#") for h in page.attributes("href") if h.startswith("#")}
    assert inside == set(ids)
    assert len(ids) > 3


def test_headings_form_a_tree_and_pictures_have_words(folder: Path) -> None:
    page = read(folder)
    levels = [int(tag[1]) for tag, _ in page.seen if re.fullmatch(r"h[1-6]", tag)]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))
    assert all(image["alt"] for image in page.tags("img"))
    assert all(svg["aria-label"] for svg in page.tags("svg"))


def test_every_drawing_is_a_file_of_valid_xml_in_fixed_colours(folder: Path) -> None:
    drawings = sorted((folder / "figures").glob("*.svg"))
    assert drawings
    for path in drawings:
        root = ElementTree.fromstring(path.read_text(encoding="utf-8"))
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert root.get("viewBox")
        assert "var(" not in path.read_text(encoding="utf-8")


def test_no_two_exhibits_of_a_page_share_a_drawing(
    digits_run: Run, study: Path, source: Source
) -> None:
    for shown in (RunEvidence(digits_run, source), StudyEvidence(study, source)):
        names = [stem for section in sections(shown) for stem in section.exhibit.figures]
        assert len(names) == len(set(names))


def test_sections_come_in_the_order_that_their_files_say(digits_run: Run, source: Source) -> None:
    shown = [section.name for section in sections(RunEvidence(digits_run, source))]
    orders = [spec.constants(name, "hundredfold.reports.exhibits")["ORDER"] for name in shown]
    assert orders == sorted(orders)
    assert read(digits_run.folder).attributes("id") == shown[1:]


def test_a_page_of_a_hundred_classes_stays_light(shapes_run: Run) -> None:
    assert (shapes_run.folder / "report.html").stat().st_size < 1_500_000


def test_class_names_cannot_become_markup(
    build: Callable[..., Run], digits: DataSet, source: Source, tmp_path: Path
) -> None:
    hostile = ["<script>alert(1)</script>", "a & b", '" onload="x', "'quoted'", "ab\x00c\x07d"]
    names = [*hostile, *"56789"]
    run = build(tmp_path / "hostile", digits, title="<b>bold</b> & more", logits=confused)
    info = run.info
    info["data"]["classes"] = names
    info["reason"] = "<img src=x>"
    run.save_info(info)
    reports.write_run(run, source)
    page = read(run.folder)
    assert page.open == []
    assert len(page.tags("script")) == 1
    assert not [image for image in page.tags("img") if image["src"] == "x"]
    assert not page.attributes("onload")
    assert "<script>alert(1)</script>" in page.words
    assert r"ab\u0000c\u0007d" in page.words
    for path in (run.folder / "figures").glob("*.svg"):
        ElementTree.fromstring(path.read_text(encoding="utf-8"))


def confused(labels: np.ndarray, data: DataSet, _accuracy: float, seed: int) -> np.ndarray:
    """Return logits that say nothing."""
    size = (len(labels), len(data.classes))
    return np.random.default_rng(seed).normal(size=size).astype(np.float32)


def test_a_fresh_run_says_what_is_missing(
    build: Callable[..., Run], digits: DataSet, source: Source, tmp_path: Path
) -> None:
    run = build(tmp_path / "fresh", digits, splits=(), status="running", best_epoch=None)
    for name in ("curve.jsonl", "model.json"):
        (run.folder / name).unlink()
    with run.writer():  # as training holds it
        reports.write_run(run, source)
    page = read(run.folder)
    for words in (
        "still training", "There is no score yet", "No epoch is finished yet",
        "no confusion matrix", "no mistakes to show", "confidence cannot be checked",
        "stored no summary", "No split has been scored", "there are no scores of classes",
    ):  # fmt: skip
        assert words in page.words, words
    assert not page.tags("svg")


def test_a_full_run_lacks_no_exhibit(digits_run: Run) -> None:
    page = read(digits_run.folder)
    text = (digits_run.folder / "report.html").read_text(encoding="utf-8")
    absent = re.findall(r'<p class="absent">(.*?)</p>', text, re.S)
    assert len(absent) == 1  # what is evaluated only where it is asked for
    assert "--corruptions" in absent[0]
    drawn = {path.stem for path in (digits_run.folder / "figures").glob("*.svg")}
    assert drawn >= {"curve-top_1", "curve-loss", "confusion", "reliability", "confidence"}
    assert page.tags("img")


def test_the_seal_is_named_until_test_is_opened(
    build: Callable[..., Run], digits: DataSet, source: Source, tmp_path: Path
) -> None:
    run = build(tmp_path / "sealed", digits, splits=("validation",))
    reports.write_run(run, source)
    words = read(run.folder).words
    assert "test split is still sealed" in words
    assert "hundredfold evaluate sealed --split test" in words
    assert "accuracy on 145 validation images" in words


def test_the_report_of_a_run_opens_no_sealed_part(
    build: Callable[..., Run],
    digits: DataSet,
    source: Source,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def opened() -> None:
        raise AssertionError("the test part was opened")

    parts = {**digits.parts, "test": opened}
    sealed = DataSet(**{**vars(digits), "parts": parts})
    monkeypatch.setattr("hundredfold.data.load", lambda *_: sealed)
    run = build(tmp_path / "sealed", digits, splits=("validation",))
    reports.write_run(run, source)
    assert read(run.folder).tags("img")


def test_images_of_other_data_are_not_shown(
    build: Callable[..., Run], digits: DataSet, source: Source, tmp_path: Path
) -> None:
    run = build(tmp_path / "other", digits)
    info = run.info
    info["data"]["digest"] = "0" * 64
    run.save_info(info)
    reports.write_run(run, source)
    page = read(run.folder)
    assert not page.tags("img")
    assert "The data here are not those the run was trained on" in page.words


def test_data_that_are_gone_cost_the_gallery_only(
    build: Callable[..., Run], digits: DataSet, tmp_path: Path
) -> None:
    run = build(tmp_path / "gone", digits)
    text = (run.folder / "recipe.toml").read_text().replace('"digits"', '"cifar100"')
    (run.folder / "recipe.toml").write_text(text)
    reports.write_run(run, Source(folder=None, cache=tmp_path / "empty", offline=True))
    page = read(run.folder)
    assert not page.tags("img")
    assert "The images cannot be read" in page.words
    assert "confusion" in page.attributes("id")


def test_a_part_that_was_renamed_since_costs_nothing(
    build: Callable[..., Run], digits: DataSet, source: Source, tmp_path: Path
) -> None:
    run = build(tmp_path / "old", digits, model="a_model_of_the_past(depth=3)")
    reports.write_run(run, source)
    assert "a_model_of_the_past(depth=3)" in read(run.folder).words


def test_a_report_written_twice_is_the_same(digits_run: Run, source: Source) -> None:
    first = (digits_run.folder / "report.html").read_bytes()
    assert reports.write_run(digits_run, source).read_bytes() == first


def test_a_folder_that_is_no_study_is_refused_in_one_sentence(
    source: Source, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="is not a study"):
        reports.write_study(tmp_path, source)


def test_a_study_of_one_run_and_one_variant_has_a_page(
    digits: DataSet, build: Callable[..., Run], source: Source, tmp_path: Path
) -> None:
    build(tmp_path / "only", digits, splits=("validation",))
    folder = tmp_path / "small"
    folder.mkdir()
    members = [{"label": "only", "seed": 0, "run": "only"}, {"label": "x", "seed": 0, "run": "x"}]
    (folder / "study.json").write_text(json.dumps({"title": "Small", "members": members}))
    reports.write_study(folder, source)
    words = read(folder).words
    assert "Nothing has been compared yet" in words
    assert "its folder is missing" in words


def test_reports_load_neither_torch_nor_a_plotting_library() -> None:
    code = (
        "import sys, hundredfold.reports, hundredfold.cli.report;"
        "print([m for m in ('torch', 'matplotlib', 'sklearn', 'jinja2') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
