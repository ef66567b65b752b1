"""What holds where TensorFlow is not installed: one sentence, and nothing loaded for nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

from hundredfold import cli, spec, studies
from hundredfold.engines import tensorflow
from hundredfold.spec import Signature
from hundredfold.studies import Study

PACKAGE = "hundredfold.engines.tensorflow"


def _options(signature: Signature) -> list[tuple[str, object]]:
    return [(option.name, option.type) for option in signature.options]


def test_a_missing_tensorflow_is_one_sentence_and_exit_code_4(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], elsewhere: Path
) -> None:
    monkeypatch.setattr(tensorflow, "find_spec", {}.get)
    assert cli.main(["train", "--engine", "tensorflow"]) == 4
    error = capsys.readouterr().err
    assert error.startswith("error: TensorFlow is not installed\n")
    assert "pip install tensorflow keras" in error
    assert not list(elsewhere.iterdir())


@pytest.mark.parametrize("verb", ["train", "evaluate", "predict", "report", "study"])
def test_help_and_reports_load_neither_engine(verb: str) -> None:
    code = (
        "import sys; from hundredfold.cli import main\n"
        f"main(['{verb}', '--help']); main(['report', 'nothing'])\n"
        "print([name for name in ('torch', 'tensorflow', 'keras') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


@pytest.mark.parametrize(
    ("here", "there"),
    [("models", "models"), ("augment", "augment"), ("optimizers", "optim.optimizers")],
)
def test_parts_of_the_same_name_take_the_same_options(here: str, there: str) -> None:
    ours, theirs = f"{PACKAGE}.{here}", f"hundredfold.{there}"
    shared = set(spec.names(ours)) & set(spec.names(theirs))
    assert len(shared) >= 2
    for name in shared:
        mine, other = (_options(spec.describe(name, package)) for package in (ours, theirs))
        assert mine == other, name


def test_a_study_tells_the_engines_apart() -> None:
    vary = {"PyTorch": {}, "TensorFlow": {"engine": "tensorflow"}}
    actual = studies.variants(Study(name="engines", base="digits", vary=vary))
    assert str(actual["PyTorch"].model) == str(actual["TensorFlow"].model)
    assert actual["PyTorch"].digest != actual["TensorFlow"].digest
