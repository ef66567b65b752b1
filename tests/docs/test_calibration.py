"""The commands of docs/calibration.md run as printed, on a run of two classes."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import hundredfold as hf
from hundredfold.cli import main

PAGE = Path(__file__).resolve().parents[2] / "docs" / "calibration.md"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a run, `latest`, and the photos that it was trained on."""
    draw = np.random.default_rng(0)
    for label, bright in (("cats", 70), ("dogs", 140)):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(80):
            pixels = np.clip(draw.normal(bright + draw.normal(0, 30), 30, (18, 20, 3)), 0, 255)
            Image.fromarray(pixels.astype(np.uint8)).save(
                tmp_path / "photos" / label / f"{number}.png"
            )
    monkeypatch.chdir(tmp_path)
    hf.train(data="photos", model="simple_cnn", epochs=3, test=0.2, validation=0.4, image_size=18,
             batch_size=32, precision="fp32", threads=1, progress="none")  # fmt: skip
    return tmp_path


def test_every_command_and_call_of_the_page_works(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = PAGE.read_text("utf-8")
    (block,) = re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    reached = hf.load().scores["validation.top_1"]["value"]
    assert reached > 0.6, "the rules of the page can be met"
    for line in block.splitlines():
        name, *argv = line.split()
        assert name == "hundredfold"
        assert main(argv) == 0, line + capsys.readouterr().err
    run = hf.load()
    calls = re.findall(r"`(run\.[^`]+)`", text)
    assert len(calls) == 2
    run.evaluate(reject_at="accuracy=0.95", sets=0.9, corruptions=True, unlike=True)
    assert calls[0] == (
        'run.evaluate(reject_at="accuracy=0.95", sets=0.9, corruptions=True, unlike=True)'
    )
    assert run.bounds().keys() >= {"reject", "sets"}
    named = set(re.findall(r"`(unknown|rejected|label|set)`", text))
    (answer,) = [run.predict("photos/cats/1.png").to_json(1)["predictions"][0]]
    assert named == {"unknown", "rejected", "label", "set"} <= answer.keys()
