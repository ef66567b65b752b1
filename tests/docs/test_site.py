"""The site builds without network or warning, is complete, and loads nothing from elsewhere."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import hundredfold
from hundredfold import errors, spec
from hundredfold.recipe import Recipe

REPOSITORY = Path(__file__).resolve().parents[2]
NEEDED = ("sphinx", "myst_parser", "furo")
FOLDERS = {
    "models": "hundredfold.models",
    "augmentations": "hundredfold.augment",
    "losses": "hundredfold.optim.losses",
    "optimizers": "hundredfold.optim.optimizers",
    "schedules": "hundredfold.optim.schedules",
    "resolutions": "hundredfold.optim.resolutions",
    "metrics": "hundredfold.metrics",
    "data-sets": "hundredfold.data",
}
FROM_ELSEWHERE = re.compile(
    r"""<(?:script|img|iframe|source|video)\b[^>]*\bsrc=["']?(?:https?:)?//"""
    r"""|<link\b(?![^>]*rel=["']?(?:canonical|author|license))[^>]*\bhref=["']?(?:https?:)?//"""
    r"""|@import\s+(?:url\()?["']?(?:https?:)?//|url\(["']?(?:https?:)?//"""
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site as `make docs` does, with a proxy that leads nowhere."""
    absent = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if absent:
        pytest.skip(f"the extra `docs` is not installed: {', '.join(absent)}")
    made = tmp_path_factory.mktemp("site")
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "ALL_PROXY"), "http://127.0.0.1:9")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    done = subprocess.run(
        [*command, "-d", str(made / "trees"), str(REPOSITORY / "docs"), str(made / "html")],
        env=os.environ | nowhere,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return made / "html"


def headings(page: Path) -> set[str]:
    html = page.read_text("utf-8")
    return {re.sub("<[^>]*>", "", head) for head in re.findall(r"<h2>(.*?)<a class", html)}


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_part_has_an_entry(site, folder):
    missing = set(spec.names(FOLDERS[folder])) - headings(site / "reference" / f"{folder}.html")
    assert not missing


def test_every_verb_and_every_flag_of_a_recipe_is_in_the_command_reference(site):
    page = site / "reference" / "command.html"
    verbs = {path.stem for path in (REPOSITORY / "src/hundredfold/cli").glob("[a-z]*.py")}
    assert {f"hundredfold {verb}" for verb in verbs - {"data"}} <= headings(page)
    text = re.sub("<[^>]*>", "", page.read_text("utf-8"))
    for flag in ("--model", "--epochs", "--batch-size", "--seed", "--budget", "--json"):
        assert flag in text
    assert re.search(rf"--batch-size\s*\n?\s*{Recipe().batch_size}\b", text)


def test_every_public_name_and_every_error_has_an_entry(site):
    public = {name for name in getattr(hundredfold, "__all__", ()) if not name.startswith("_")}
    pages = [site / "reference" / f"{name}.html" for name in ("python", "errors")]
    known = set().union(*(headings(page) for page in pages))
    raised = {name for name in vars(errors) if name.endswith("Error")}
    assert public | raised <= known


def test_no_page_loads_anything_from_elsewhere(site):
    files = [*site.rglob("*.html"), *site.rglob("*.css")]
    assert len(files) > 20
    assert [file for file in files if FROM_ELSEWHERE.search(file.read_text("utf-8"))] == []


@pytest.mark.parametrize(
    "html",
    [
        '<script async src="https://x.org/a.js"></script>',
        '<link rel="stylesheet" href="//fonts.x.org/css">',
        "@import url(https://x.org/a.css);",
        'a { background: url("http://x.org/a.png") }',
    ],
)
def test_a_resource_from_elsewhere_is_noticed(html):
    assert FROM_ELSEWHERE.search(html)


def test_a_link_is_no_resource():
    assert not FROM_ELSEWHERE.search('<a href="https://x.org">x</a>')


def test_every_link_between_pages_leads_to_an_anchor_that_exists(site):
    broken = []
    for page in site.rglob("*.html"):
        html = page.read_text("utf-8")
        for link in re.findall(r'<a [^>]*href="(?!https?:|mailto:)([^"]+)"', html):
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            if not target.exists() or (
                anchor and f'id="{anchor}"' not in target.read_text("utf-8")
            ):
                broken.append(f"{page.name}: {link}")
    assert broken == []
