"""Recipes, options and studies of any content: bounded work, and one sentence."""

import time
import tracemalloc
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hundredfold import recipes, spec, studies
from hundredfold.errors import HundredfoldError, UsageError
from hundredfold.recipe import Recipe

_MEMORY = 100_000_000  # bytes
_SECONDS = 5.0
_PIECES = (
    "a", "model", "epochs",
    ".", "=", "[", "]", "[[", "]]", "{", "}", ",", "\n", "#", " ", "\\",
    '"', "'", '"""', "'''", "-", "+", "0x", "f" * 50, "9" * 30, "1e999", "nan", "inf", "true",
    "|", "(",
    ")", "wrn", "depth=", "*", "**", "lambda: ", "{[]: 1}", "\0", "é", "\ud800", "1979-05-27",
    "'my.py':", "f'{1}'", "b''", "1j", "...", "not ", "~", "if", "\r",
)  # fmt: skip
_TEXTS = st.one_of(
    st.text(max_size=200),
    st.lists(st.sampled_from(_PIECES), max_size=60).map("".join),
    st.tuples(st.sampled_from(_PIECES), st.integers(1, 5_000)).map(lambda pair: pair[0] * pair[1]),
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(_TEXTS)
def test_any_text_of_options_is_a_part_or_one_sentence(text: str) -> None:
    with suppress(UsageError):
        spec.literal(text)
    for package in ("hundredfold.models", "hundredfold.augment"):
        try:
            spec.chain(text, package)
        except HundredfoldError as error:
            assert error.exit_code == 2
            assert len(str(error)) < 5_000


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.sampled_from(["", "model.", "epochs=", "augment=", "optimizer.lr=", "title="]), _TEXTS)
def test_any_text_behind_set_is_a_recipe_or_one_sentence(start: str, text: str) -> None:
    try:
        Recipe().override({}, [start + text])
    except HundredfoldError as error:
        assert error.exit_code == 2
        assert len(str(error)) < 5_000


@settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(text=_TEXTS)
def test_any_file_is_a_recipe_and_a_study_or_one_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(text.encode(errors="surrogatepass"))
    for load in (recipes.load, studies.load):
        try:
            load(str(path))
        except HundredfoldError as error:
            assert error.exit_code == 2
            assert len(str(error)) < 5_000


_LARGE = {
    "dots": "a" + ".a" * 30_000 + " = 1",
    "spaced dots": "a" + " . a" * 30_000 + " = 1",
    "quoted dots": '"a,b"' + '."a,b"' * 20_000 + " = 1",
    "header of dots": "[" + "a." * 50_000 + "a]",
    "many keys of dots": "\n".join(f"a{i}" + ".b" * 60 + " = 1" for i in range(1_500)),
    "nested arrays": "a = " + "[" * 90_000,
    "nested tables": "a = " + "{a=" * 60_000,
    "decimal digits": "epochs = " + "9" * 5_000,
    "hexadecimal digits": "epochs = 0x" + "f" * 150_000,
    "a long key": "k" * 100_000 + " = 1",
    "a long text": 'title = "' + "x" * 150_000 + '"',
    "a long name": 'model = "' + "x" * 9_000 + '"',
    "many keys": "\n".join(f"k{i} = 1" for i in range(18_000)),
    "unclosed texts": "a = " + '"""\\' * 40_000,
    "unclosed literals": "a = " + "'''x" * 40_000 + "'",
    "minus signs": 'model = "wrn(depth=' + "-" * 9_000 + '1)"',
    "a large file": "#" * 3_000_000,
    "a long chain": 'augment = "' + " | ".join(["flip"] * 1_000) + '"',
    "a deep chain": 'augment = "' + "(" * 4_000 + '"',
}


@pytest.mark.parametrize("what", _LARGE)
def test_a_large_recipe_is_refused_within_seconds_and_megabytes(tmp_path: Path, what: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(_LARGE[what], encoding="utf-8")
    began = time.process_time()
    tracemalloc.start()
    try:
        for load in (recipes.load, studies.load):
            with pytest.raises(UsageError) as caught:
                load(str(path))
            assert len(str(caught.value)) < 3_000
        assert tracemalloc.get_traced_memory()[1] < _MEMORY
    finally:
        tracemalloc.stop()
    assert time.process_time() - began < _SECONDS


def test_texts_with_dots_and_brackets_are_no_keys() -> None:
    text = 'title = "a.b.c.d.e.f.g.h.i.j.k [1.2.3] # no"\n'
    text += "source = '''v. 1. 2. 3. 4. 5. 6. 7. 8. 9.'''"
    assert spec.parse_toml(text + "\nat = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95]\n")


@pytest.mark.parametrize(
    "fields",
    [
        {"grid": {f"f{i}": list(range(10)) for i in range(12)}},
        {"grid": {"epochs": list(range(10_001))}, "seeds": 1},
        {"grid": {"epochs": list(range(100))}, "seeds": 200},
        {"vary": {f"v{i}": {} for i in range(100)}, "seeds": 11, "folds": 10},
    ],
)
def test_a_study_of_too_many_trainings_is_counted_not_built(fields: dict[str, object]) -> None:
    began = time.process_time()
    with pytest.raises(UsageError, match=r"at most 10,000 trainings, not [\d,]+"):
        studies.define(fields)
    assert time.process_time() - began < 1


def test_a_study_of_too_many_seeds_is_refused_before_it_is_planned(tmp_path: Path) -> None:
    from hundredfold.api import studying

    grid = {"epochs": list(range(1, 101))}
    with pytest.raises(UsageError, match="not 100,000"):
        studying.prepare("", {"grid": grid, "seeds": 1000, "out": tmp_path})
