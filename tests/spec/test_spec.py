"""A part of a recipe as text: read, checked against its source, printed."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hundredfold import spec
from hundredfold.errors import UsageError
from hundredfold.spec import Call

_NAMES = (
    st.from_regex(r"[a-z][a-z_]{0,8}[a-z0-9]", fullmatch=True)
    .filter(
        lambda name: (
            name.isidentifier() and name not in ("if", "in", "is", "or", "as", "not", "and")
        )
    )
    .filter(lambda name: __import__("keyword").iskeyword(name) is False and name != "none")
)
_VALUES = st.one_of(
    st.integers(),
    st.booleans(),
    st.none(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=10),
    st.tuples(st.integers(), st.floats(allow_nan=False, allow_infinity=False)),
)


@given(_NAMES, st.dictionaries(_NAMES, _VALUES, max_size=3))
def test_what_is_printed_reads_back_as_the_same_call(name: str, options: dict[str, object]) -> None:
    written = Call(name, options)
    assert spec.parse(str(written)) == written


def test_a_chain_keeps_its_order() -> None:
    chain = spec.parse_chain("pad_crop(pixels=4) | flip | cutout(size=8)")
    assert [part.name for part in chain] == ["pad_crop", "flip", "cutout"]
    assert chain[0].options == {"pixels": 4}


@pytest.mark.parametrize("text", ["", "  ", "none"])
def test_nothing_is_an_empty_chain(text: str) -> None:
    assert spec.parse_chain(text) == ()


def test_a_list_is_read_as_a_tuple() -> None:
    assert spec.parse("steps(at=[0.5, 0.75])").options == {"at": (0.5, 0.75)}


@pytest.mark.parametrize(
    "text",
    [
        "wrn(28)",
        "wrn(depth=28",
        "wrn(**options)",
        "wrn(depth=28, depth=16)",
        "wrn(depth=width)",
        "os.system(command='ls')",
        "__import__('os')",
        "wrn(depth=open(file='x'))",
        "lambda: 0",
        "wrn and flip",
        "wrn(depth=28); flip",
        "28",
        "'wrn'",
        "wrn\0",
        "(" * 5000,
        "-" * 100_000 + "1",
    ],
)
def test_text_that_is_no_call_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(UsageError, match=r"cannot read|is not one name") as caught:
        spec.parse(text)
    assert caught.value.remedy


def test_a_chain_is_not_one_part() -> None:
    with pytest.raises(UsageError, match="not one name"):
        spec.parse("flip | flip")


@pytest.mark.parametrize(
    ("text", "value"),
    [("3", 3), ("1e-3", 0.001), ("True", True), ("cifar10", "cifar10"), ("[1, 2]", (1, 2))],
)
def test_an_option_on_the_command_line_is_read_as_in_a_call(text: str, value: object) -> None:
    assert spec.literal(text) == value


def test_parts_are_the_files_that_define_a_function_of_their_name() -> None:
    actual = spec.names("hundredfold.models")
    assert {"resnet", "simple_cnn", "wrn"} <= set(actual)
    assert not any(name.startswith("_") for name in actual)


def test_parts_of_a_module_are_its_public_functions() -> None:
    assert {"adam", "sgd"} <= set(spec.names("hundredfold.optim.optimizers"))
    assert "_groups" not in spec.names("hundredfold.optim.optimizers")


def test_what_stands_before_the_star_is_handed_over() -> None:
    signature = spec.describe("wrn", "hundredfold.models")
    assert "classes" in signature.handed
    assert {option.name: option.default for option in signature.options}["depth"] == 28
    assert signature.summary.endswith(".")
    assert "Zagoruyko" in signature.module_doc


def test_an_unknown_name_is_answered_with_the_closest() -> None:
    with pytest.raises(UsageError, match="no model is called 'resnt'") as caught:
        spec.part("resnt", "hundredfold.models")
    assert caught.value.remedy == "did you mean 'resnet'?"


def test_an_unknown_option_is_answered_with_the_closest() -> None:
    with pytest.raises(UsageError, match="wrn has no option 'dept'") as caught:
        spec.part("wrn(dept=16)", "hundredfold.models")
    assert caught.value.remedy == "did you mean 'depth'?"


@pytest.mark.parametrize(
    "text", ["wrn(depth='28')", "wrn(depth=28.5)", "wrn(depth=True)", "wrn(dropout=None)"]
)
def test_an_option_of_another_type_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not of the type"):
        spec.part(text, "hundredfold.models")


def test_a_word_that_is_not_among_the_choices_is_refused() -> None:
    with pytest.raises(UsageError, match="is not of the type"):
        spec.part("resnet(stem='large')", "hundredfold.models")


def test_a_whole_number_will_do_for_a_float() -> None:
    completed = spec.part("wrn(dropout=0)", "hundredfold.models")
    assert completed.options["dropout"] == 0


def test_completing_twice_changes_nothing() -> None:
    once = spec.part("wrn", "hundredfold.models")
    assert spec.part(str(once), "hundredfold.models") == once


def test_a_part_that_is_resolved_has_its_options_bound() -> None:
    schedule = spec.resolve("linear(final=0.5)", "hundredfold.optim.schedules")
    assert schedule(0.0) == pytest.approx(1.0)
    assert schedule(0.5) == pytest.approx(0.75)


def test_describing_every_part_imports_none_of_them() -> None:
    code = (
        "import sys; from hundredfold import spec; from hundredfold.recipe import PACKAGES\n"
        "[spec.describe(n, p) for p in PACKAGES.values() for n in spec.names(p)]\n"
        "print([m for m in ('torch', 'sklearn', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_part_of_ones_own_is_read_with_its_file_and_quotes_are_left_alone() -> None:
    (first, second) = spec.parse_chain("nets/my.py:jitter(text='a.py:b') | flip")
    assert (first.file, first.name, first.options) == ("nets/my.py", "jitter", {"text": "a.py:b"})
    assert (second.file, second.name) == ("", "flip")
    assert str(first) == "nets/my.py:jitter(text='a.py:b')"
