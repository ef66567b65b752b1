import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SCRIPT = REPOSITORY / "benchmarks" / "tables.py"
RESULTS = REPOSITORY / "benchmarks" / "results"
KNOWN = {"name", "command", "machine", "date", "precision", "threads", "n"}
MINI = """
[runs]
records = ["one"]
[runs.columns]
"run" = "{recipe}"
"top-1" = "{top_1:interval}"
"""


def check(repository, *options):
    command = [sys.executable, str(SCRIPT), "--repository", str(repository), *options]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture
def project(tmp_path):
    """Return a project of one record, one table and one page, its table written."""
    (tmp_path / "benchmarks" / "results").mkdir(parents=True)
    (tmp_path / "docs").mkdir()
    record = {
        "command": ["train it"], "machine": "abacus", "date": "2026-01-01", "threads": 1, "n": 1,
        "recipe": "simple", "top_1": {"value": 0.5, "low": 0.41, "high": 0.592},
    }  # fmt: skip
    (tmp_path / "benchmarks" / "results" / "one.json").write_text(json.dumps(record))
    (tmp_path / "benchmarks" / "tables.toml").write_text(MINI)
    page = "before\n\n<!-- table: runs -->\nold\n<!-- end -->\n\nafter\n"
    (tmp_path / "README.md").write_text(page)
    assert check(tmp_path).returncode == 0
    return tmp_path


def test_the_pages_hold_the_tables_of_the_records():
    done = check(REPOSITORY, "--check")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_table_has_its_numbers_machine_date_n_command_and_record(project):
    text = (project / "README.md").read_text()
    assert text.startswith("before\n") and text.endswith("after\n") and "old" not in text
    assert "| simple | 50.00 % (41.00 to 59.20) |" in text
    assert "abacus · 1 thread · 2026-01-01 · n = 1 · records: " in text
    assert "[one](benchmarks/results/one.json)" in text and "· `train it`\n" in text


def test_several_commands_are_one_line_that_opens(project):
    record = project / "benchmarks" / "results" / "one.json"
    record.write_text(record.read_text().replace('"train it"', '"train a<b", "score it"'))
    assert check(project).returncode == 0
    [line] = [one for one in (project / "README.md").read_text().splitlines() if "score" in one]
    codes = "<code>train a&lt;b</code><br><code>score it</code>"
    assert line == f"<details><summary>commands</summary>{codes}</details>"


def test_a_changed_record_fails_the_check_and_changes_nothing(project):
    assert check(project, "--check").returncode == 0
    record = project / "benchmarks" / "results" / "one.json"
    record.write_text(record.read_text().replace("0.592", "0.593"))
    before = (project / "README.md").read_text()
    done = check(project, "--check")
    assert done.returncode == 1 and "README.md" in done.stderr
    assert (project / "README.md").read_text() == before
    assert check(project).returncode == 0
    assert "59.30" in (project / "README.md").read_text()


def test_a_number_changed_by_hand_fails_the_check(project):
    page = project / "README.md"
    page.write_text(page.read_text().replace("50.00", "60.00"))
    assert check(project, "--check").returncode == 1


def test_a_shipped_record_that_changes_is_noticed(tmp_path):
    for part in ("README.md", "docs", "benchmarks/results", "benchmarks/tables.toml"):
        source, target = REPOSITORY / part, tmp_path / part
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
    record = tmp_path / "benchmarks" / "results" / "simple-cnn.json"
    record.write_text(record.read_text().replace('"value": 0.5356', '"value": 0.6356'))
    done = check(tmp_path, "--check")
    assert done.returncode == 1
    assert "README.md" in done.stderr and "docs/results.md" in done.stderr


def test_an_unknown_table_is_named(project):
    page = project / "README.md"
    page.write_text(page.read_text().replace("table: runs", "table: walks"))
    done = check(project, "--check")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1) and "'walks'" in done.stderr


def test_a_machine_that_differs_between_lines_needs_a_column(project):
    results = project / "benchmarks" / "results"
    other = json.loads((results / "one.json").read_text()) | {"machine": "slide rule"}
    (results / "two.json").write_text(json.dumps(other))
    tables = project / "benchmarks" / "tables.toml"
    tables.write_text(MINI.replace('["one"]', '["one", "two"]'))
    done = check(project)
    assert done.returncode == 2 and "differ in machine" in done.stderr
    tables.write_text(tables.read_text() + '"where" = "{machine}"\n')
    assert check(project).returncode == 0
    assert "| slide rule |" in (project / "README.md").read_text()


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{x:percent.1}", "12.3 %"),
        ("{y:duration}", "1 h 2 min"),
        ("{d/value:duration}", "7 min 26 s"),
        ("{d:duration}", "7 min 26 s (7 min 0 s to 7 min 38 s)"),
        ("{z:number}", "12,345"),
        ("{r:ratio}", "1.38x (1.34 to 1.39)"),
        ("{r:points}", "+138.0 points (134.0 to 139.0)"),
        ("{s:percents.0}", "35, 41 %"),
        ("{absent/value:percent}", ""),
    ],
)
def test_a_template_is_filled_and_empty_where_a_value_is_missing(template, text):
    import tables

    line = {
        "x": 0.1234, "y": 3700, "z": 12345.4, "s": [0.3465, 0.40876], "absent": None,
        "d": {"value": 446, "low": 420, "high": 458, "n": 5},
        "r": {"value": 1.3799, "low": 1.34, "high": 1.39},
    }  # fmt: skip
    assert tables.cell(template, line) == text


def test_records_are_few_and_say_what_was_run_where_and_when():
    files = sorted(RESULTS.glob("*.json"))
    assert 0 < len(files) <= 80
    for file in files:
        record = json.loads(file.read_text(encoding="utf-8"))
        assert record.keys() >= KNOWN, file.name
        assert record["name"] == file.stem and record["command"]


def test_every_record_is_cited_by_a_table_or_a_page():
    tables = tomllib.loads((SCRIPT.with_name("tables.toml")).read_text(encoding="utf-8"))
    cited = {name for table in tables.values() for name in table["records"]}
    pages = [REPOSITORY / "README.md", *(REPOSITORY / "docs").rglob("*.md")]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    for file in RESULTS.glob("*.json"):
        assert file.stem in cited or f"results/{file.name}" in text, file.name
    for name in tables:
        assert f"<!-- table: {name} -->" in text, name
