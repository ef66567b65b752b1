"""Changed files of weights of every format are read or refused, quickly and within memory."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("mutants.py")


def test_a_changed_file_of_weights_is_read_or_refused_in_a_sentence() -> None:
    pytest.importorskip("h5py", reason="h5py is not installed")
    command = [sys.executable, "-X", "faulthandler", str(PROGRAM), "80", "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout) == []
