"""What a part's file says of it in capitals is read without importing it."""

import subprocess
import sys

import pytest

from hundredfold import spec
from hundredfold.errors import UsageError


def test_constants_are_the_literals_in_capitals() -> None:
    constants = spec.constants("top_k", "hundredfold.metrics")
    assert constants["TITLE"] == "top-{k} accuracy"
    assert constants["RANGE"] == (0, 1)
    assert all(name.isupper() for name in constants)


def test_a_constant_that_is_no_literal_is_left_out() -> None:
    assert "CLASSES" not in spec.constants("cifar10", "hundredfold.data")  # it unpacks tuples


def test_the_constants_of_an_unknown_part_are_answered_with_the_closest_name() -> None:
    with pytest.raises(UsageError, match=r"no metric is called 'los'.*") as caught:
        spec.constants("los", "hundredfold.metrics")
    assert caught.value.remedy == "did you mean 'loss'?"


def test_reading_constants_imports_no_part() -> None:
    code = (
        "import sys; from hundredfold import spec\n"
        "for package in ('hundredfold.models', 'hundredfold.metrics'):\n"
        "    for name in spec.names(package):\n"
        "        spec.constants(name, package)\n"
        "print([m for m in sys.modules if m.startswith(('torch', 'hundredfold.m'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
