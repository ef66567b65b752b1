"""Damaged images give pixels or one sentence; the whole of it is `python tests/data/mutants.py`."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).with_name("mutants.py")


def test_four_hundred_mutants_of_every_format_give_pixels_or_one_sentence() -> None:
    command = [sys.executable, str(SCRIPT), "--count", "420", "--seed", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    counts = {end: int(n) for n, end in (line.split() for line in done.stdout.splitlines())}
    assert sum(counts.values()) == 420
    assert min(counts["pixels"], counts["sentence"]) > 50, "both ends are met"


def test_a_broken_decoder_is_noticed(tmp_path: Path) -> None:
    broken = tmp_path / "mutants.py"
    text = SCRIPT.read_text(encoding="utf-8")
    assert "pixels = decode(data, 16" in text
    broken.write_text(
        text.replace("pixels = decode(data, 16", "pixels = 1 // 0 or decode(data, 16")
    )
    command = [sys.executable, str(broken), "--count", "3"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "raised ZeroDivisionError" in done.stdout
