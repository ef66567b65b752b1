"""Words are legible in both colour schemes, and the script runs in a real browser."""

import re
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

from hundredfold.run import Run

WORDS = ("ink", "soft", "c0", "c1", "c2", "c4", "c5", "c6", "c7")  # c3 is never used for words
PROBE = """<script>
const said = [];
const point = (svg, x, y) => {
  const box = svg.getBoundingClientRect(), view = svg.viewBox.baseVal;
  svg.dispatchEvent(new PointerEvent("pointermove", {
    clientX: box.left + x / view.width * box.width,
    clientY: box.top + y / view.height * box.height }));
};
point(document.querySelector("[data-hover]"), 200, 100);
said.push(document.querySelector(".tip").textContent);
const heat = document.querySelector("[data-matrix]");
const { left, top: over, cell } = JSON.parse(heat.dataset.matrix);
point(heat, left + 0.5 * cell, over + 0.5 * cell);
said.push(document.querySelector(".readout").textContent);
const heads = [...document.querySelectorAll(".sortable thead button")];
heads.at(-2).click();
said.push(heads.at(-2).parentElement.getAttribute("aria-sort"));
document.body.dataset.said = said.join(" / ");
</script></body>"""


def palette(name: str) -> dict[str, str]:
    text = files("hundredfold.reports").joinpath(name).read_text(encoding="utf-8")
    block = text[text.index(":root{") :].partition("}")[0]
    return dict(re.findall(r"--(\w+):(#[0-9a-f]{6})", block))


def luminance(colour: str) -> float:
    """Return the relative luminance of WCAG 2.2."""
    channels = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    dark, bright = sorted((luminance(one), luminance(other)))
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("name", ["charts/chart.css", "page.css"])
def test_words_stand_out_from_the_paper(name: str) -> None:
    colours = palette(name)
    for word in WORDS:
        assert contrast(colours[word], colours["paper"]) >= 4.5, word
        assert contrast(colours[word], colours["ground"]) >= 4.0, word


@pytest.mark.parametrize("name", ["charts/chart.css", "page.css"])
def test_numbers_stand_out_from_their_cells(name: str) -> None:
    colours = palette(name)
    for kind, first_strong in (("r", 5), ("w", 6)):
        for level in range(1, 8):
            word = colours["onstrong" if level >= first_strong else "ink"]
            assert contrast(word, colours[f"{kind}{level}"]) >= 4.0, f"{kind}{level}"


def test_both_schemes_name_the_same_colours() -> None:
    assert palette("charts/chart.css").keys() == palette("page.css").keys()


@pytest.mark.skipif(not shutil.which("chromium"), reason="Chromium is not installed")
def test_the_script_reads_values_off_in_a_browser(digits_run: Run, tmp_path: Path) -> None:
    page = tmp_path / "probe.html"
    text = (digits_run.folder / "report.html").read_text(encoding="utf-8")
    page.write_text(text.replace("</body>", PROBE), encoding="utf-8")
    flags = [
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        "--enable-logging=stderr", f"--user-data-dir={tmp_path / 'user'}",
    ]  # fmt: skip
    done = subprocess.run(
        ["chromium", *flags, "--dump-dom", page.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert "Uncaught" not in done.stderr
    (said,) = re.findall(r'data-said="([^"]*)"', done.stdout)
    assert re.fullmatch(
        r"epoch \d+train.* %validation.* % / 0 classified correctly, .* / descending", said
    )
