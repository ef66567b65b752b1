"""Remedies for what is not installed work whatever index the package itself came from."""

import ast
import re
import sys
from pathlib import Path

import pytest
import torch

import hundredfold
from hundredfold.errors import MissingError, pip_install
from hundredfold.models import timm
from hundredfold.weights import hdf5

SOURCES = sorted(Path(hundredfold.__file__).parent.rglob("*.py"))


def test_a_command_names_packages() -> None:
    assert pip_install("h5py") == "pip install h5py"
    assert pip_install("tensorflow", "keras") == "pip install tensorflow keras"


def test_no_message_asks_an_index_for_the_package_itself() -> None:
    for path in SOURCES:
        texts = [
            node.value
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
        found = [text for text in texts if re.search(r"pip install\s+'?hundredfold", text)]
        assert not found, path
        own = [text for text in texts if "pip install" in text and path.name != "errors.py"]
        assert not own, f"{path}: errors.pip_install says it"


def test_a_file_of_keras_names_the_package_that_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingError) as caught, hdf5.layers(tmp_path / "a.h5"):
        pass
    assert caught.value.remedy == "pip install h5py"


def test_timm_is_installed_beside_a_cpus_torch_without_replacing_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    for cuda, wanted in ((None, "--extra-index-url https://download.pytorch.org/whl/cpu"),
                         ("12.8", "")):  # fmt: skip
        monkeypatch.setattr(torch.version, "cuda", cuda)
        monkeypatch.setattr(torch.version, "hip", None)
        with pytest.raises(MissingError) as caught:
            timm.tensor_names("resnet50d")
        remedy = str(caught.value.remedy)
        assert remedy.startswith("pip install timm")
        assert ("whl/cpu" in remedy) is bool(wanted)
