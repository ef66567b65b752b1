"""A file runs where torch is not: through `predict`, and as its model card says."""

import json
import os
import re
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import hundredfold as hf

_BLOCKED = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "scipy", "sklearn", "tensorflow", "onnx"):
            raise ModuleNotFoundError(f"no {name}", name=name)
sys.meta_path.insert(0, Block())
from hundredfold.cli import main
sys.exit(main(sys.argv[1:]))
"""
_CLEAN = """
import sys
sys.path.insert(0, sys.argv.pop(1))
code = sys.argv.pop(1)
exec(code)
assert not {"torch", "hundredfold"} & set(sys.modules)
"""


def test_predict_takes_a_file_without_torch(exported: Path, jpegs: list[Path]) -> None:
    command = [sys.executable, "-c", _BLOCKED, "predict", exported, *jpegs, "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["predictions"]
    expected = hf.predict(exported, jpegs)
    assert [row["label"] for row in rows] == expected.labels
    assert all(row["set"] for row in rows)


def test_the_card_has_a_head_and_every_section(made: hf.Run, exported: Path) -> None:
    card = (exported.parent / "model.README.md").read_text(encoding="utf-8")
    head = card.split("---\n")[1]
    assert "pipeline_tag: image-classification" in head and "library_name: hundredfold" in head
    titles = re.findall(r"^## (.+)$", card, re.MULTILINE)
    assert [title.partition(" (")[0] for title in titles] == [
        "Data", "Scores", "Calibration", "Classes", "Checked", "How to run it", "Intended use",
        "Limits", "Licences",
    ]  # fmt: skip
    assert made.info["data"]["digest"][:16] in card
    for name, score in made.scores.items():
        assert name.startswith("validation") or f"{score.value:.4f}" in card


def test_the_code_of_the_card_runs_with_three_packages(
    exported: Path, jpegs: list[Path], tmp_path: Path
) -> None:
    """Only what these packages installed can be imported, besides the standard library."""
    site = tmp_path / "site"
    site.mkdir()
    for name in ("onnxruntime", "numpy", "pillow", "flatbuffers", "protobuf", "packaging"):
        found = distribution(name)
        for top in {Path(file).parts[0] for file in found.files or ()} - {"..", "__pycache__"}:
            source = Path(found.locate_file(top)).resolve()
            if source.exists() and not (site / top).exists():
                (site / top).symlink_to(source)
    card = (exported.parent / "model.README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    assert len(code.splitlines()) <= 8
    for path, expected in zip(jpegs, hf.predict(exported, jpegs), strict=True):
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _CLEAN, site, code, path],
            cwd=exported.parent, capture_output=True, text=True,
            env=os.environ | {"PYTHONUTF8": "1"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        label, probability, unknown = done.stdout.split()
        assert label == expected.label
        assert abs(float(probability) - expected.probability) < 1e-3
        assert abs(float(unknown) - expected.unknown) < 1e-2
