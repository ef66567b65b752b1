"""Ranges in annotations, and annotations of a stranger's file."""

import json
import math
from pathlib import Path

import pytest

from hundredfold import cli, spec
from hundredfold.errors import UsageError
from hundredfold.spec import OneOf, OwnFiles, Range
from hundredfold.spec._annotation import evaluate, plain


@pytest.mark.parametrize(
    ("limits", "inside", "outside", "words"),
    [
        (Range(0, 1), [0, 0.5, 1], [-0.1, 1.1], "a number from 0 to 1"),
        (Range(0, 1, open_high=True), [0], [1], "a number from 0 to below 1"),
        (Range(0, 10, open_low=True), [1e-9, 10], [0], "a number above 0 to 10"),
        (Range(8, 1024, also=(0,)), [0, 8], [1, 7, 1025], "0, or a number from 8 to 1,024"),
        (Range(10, 40, step=6), [10, 28, 40], [12, 41], "a number from 10 to 40 in steps of 6"),
        (OneOf(16, 11), [11, 16], [12, 17], "one of 11, 16"),
    ],
)
def test_limits_say_what_they_hold(
    limits: spec.Limits, inside: list[float], outside: list[float], words: str
) -> None:
    assert all(value in limits for value in inside)
    assert not any(value in limits for value in [*outside, math.nan, math.inf, -math.inf])
    assert str(limits) == words
    for value in [*outside, math.inf, -math.inf]:
        nearest = limits.nearest(value)
        assert nearest in limits or nearest in (getattr(limits, "low", None), 1)


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("Fraction", "float"),
        ("Annotated[int, Range(1, 9)] | None", "int | None"),
        ("tuple[PositiveFraction, ...]", "tuple[float, ...]"),
        ("tuple[int, Fraction]", "tuple[int, float]"),
        ("Literal['a', 'b']", "Literal['a', 'b']"),
        ("torch.Tensor", "torch.Tensor"),
    ],
)
def test_help_shows_an_annotation_without_its_range(text: str, bare: str) -> None:
    assert plain(text) == bare


_ESCAPE = "().__class__.__base__.__subclasses__()"


@pytest.mark.parametrize(
    "text",
    [
        _ESCAPE,
        f"[c for c in {_ESCAPE}]",
        "int.__class__",
        "Literal[open('x')]",
        "Range(*'ab')",
        "Annotated[int, Range(low='a', top=1)]",
        "'x' * 10 ** 9",
        "lambda: 0",
        "[" * 500,
        "-" * 9000 + "1",
    ],
)
def test_an_annotation_is_never_run(text: str) -> None:
    with pytest.raises(ValueError, match="is no type of an option"):
        evaluate(text)


def test_reading_a_strangers_recipe_runs_nothing_of_its_file(tmp_path: Path) -> None:
    """A part is described without trust, so that its annotations must not run either."""
    canary = tmp_path / "canary"
    attack = (
        "[c for c in ().__class__.__base__.__subclasses__() if c.__name__ == 'catch_warnings'][0]"
        f"()._module.__builtins__['open']({str(canary)!r}, 'w')"
    )
    (tmp_path / "net.py").write_text(f"def net(classes, *, width: {attack} = 3): ...\n")
    made = spec.part("net.py:net(width=4)", "hundredfold.models", OwnFiles(tmp_path))
    assert made.options == {"width": 4}
    assert not canary.exists()


def test_a_users_own_part_may_have_ranges(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(
        "from typing import Annotated\nfrom hundredfold.spec import Range\n"
        "def net(classes, *, width: Annotated[int, Range(1, 8)] = 3, other: 'My' = 1): ...\n"
    )
    files = OwnFiles(tmp_path)
    assert spec.part("net.py:net(width=8)", "hundredfold.models", files).options["width"] == 8
    with pytest.raises(UsageError, match="out of range") as caught:
        spec.part("net.py:net(width=9)", "hundredfold.models", files)
    assert caught.value.remedy == "net(width=8)"


@pytest.mark.parametrize(
    "default", ["{[]: 1}", "0x" + "f" * 20_000, "-" * 5_000 + "1", "[" * 150 + "]" * 150, "f()"]
)
def test_a_default_that_is_no_plain_value_is_one_sentence(tmp_path: Path, default: str) -> None:
    (tmp_path / "net.py").write_text(f"def net(classes, *, width={default}): ...\n")
    with pytest.raises(UsageError, match=r"not a plain value|is not Python") as caught:
        spec.part("net.py:net", "hundredfold.models", OwnFiles(tmp_path))
    assert len(str(caught.value)) < 500


def test_models_prints_the_range_of_each_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["models", "wrn(depth=10, width=1)"]) == 0
    assert "a number from 10 to 1,000 in steps of 6" in capsys.readouterr().out
    assert cli.main(["models", "wrn(depth=10, width=1)", "--json"]) == 0
    options = {o["name"]: o for o in json.loads(capsys.readouterr().out)["options"]}
    assert options["width"]["type"] == "int"
    assert options["width"]["limits"]["high"] == 100
