"""One interpreter of pickles: plain values of any age come back, and nothing else happens."""

import io
import os
import pickle
from pathlib import Path
from typing import Any

import pytest

from hundredfold import pickles
from hundredfold.pickles import Name, Refused, Vocabulary, interpret

NOTHING = Vocabulary({}, "value")
VALUE = {
    "text": "ä" * 300,
    b"bytes": bytes(range(256)) * 2,
    "numbers": [0, -1, 255, 70_000, 2**31, -(2**63), 1.5, float("inf")],
    "rest": [None, True, False, (), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), [], {}],
    7: {"a": {"b": ["c"]}},
}


@pytest.mark.parametrize("protocol", range(3, 6))
def test_plain_values_come_back(protocol: int) -> None:
    assert interpret(pickle.dumps(VALUE, protocol), NOTHING) == VALUE


@pytest.mark.parametrize("protocol", range(3))
def test_values_of_old_protocols_come_back(protocol: int) -> None:
    value = {key: item for key, item in VALUE.items() if key != b"bytes"}  # bytes were a call
    assert interpret(pickle.dumps(value, protocol), NOTHING) == value


def test_strings_of_python_2_are_text_in_latin_1() -> None:
    assert interpret(b"U\x02\xff\x00.", NOTHING) == "\xff\x00"
    assert interpret(b"T\x02\x00\x00\x00\xff\x00.", NOTHING) == "\xff\x00"


def test_what_is_shared_stays_shared() -> None:
    one = ["a"]
    found = interpret(pickle.dumps([one, one]), NOTHING)
    assert found[0] is found[1]


def test_a_stream_is_left_at_the_end_of_its_pickle() -> None:
    stream = io.BytesIO(pickle.dumps(1) + pickle.dumps("two") + b"rest")
    assert [interpret(stream, NOTHING), interpret(stream, NOTHING)] == [1, "two"]
    assert stream.read() == b"rest"


def test_only_the_vocabulary_is_called_and_a_state_goes_to_what_it_returns() -> None:
    class Path_:
        def __init__(self, *parts: str) -> None:
            self.parts, self.state = parts, None

        def build(self, state: Any) -> None:
            self.state = state

    known = Vocabulary({("os", "system"): Path_}, "value")
    found = interpret(b"\x80\x02cos\nsystem\nX\x01\x00\x00\x00a\x85RX\x01\x00\x00\x00bb.", known)
    assert (found.parts, found.state) == (("a",), "b")
    assert interpret(b"cos\nsystem\n.", NOTHING) == Name("os", "system")


class _Touch:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("protocol", range(6))
def test_a_call_that_the_vocabulary_lacks_is_refused_by_its_name(
    tmp_path: Path, protocol: int
) -> None:
    with pytest.raises(Refused, match=r"posix.system, which no value needs"):
        interpret(pickle.dumps(_Touch(tmp_path / "canary"), protocol), NOTHING)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        b"\x80\x02}",
        b"\x80\x02}0.",  # POP
        b"\x80\x02)2.",  # DUP: twins of twins
        b"\x80\x02(ios\nsystem\n.",  # INST
        b"\x80\x02cos\nsystem\n)\x81.",  # NEWOBJ
        b"\x80\x02Pa\n.",  # PERSID
        b"\x80\x02K\x00Q.",  # BINPERSID
        b"\x80\x02\x82\x01.",  # EXT1
        b"\x80\x04\x8f.",  # EMPTY_SET: members are hashed
        b"\x80\x02}(K\x01u.",  # a key without a value
        b"\x80\x02})K\x01s.",  # a tuple as key
        b"\x80\x02K\x01K\x02a.",  # append to a number
        b"\x80\x02e.",
        b"\x80\x02R.",
        b"\x80\x02h\x00.",
        b"\x80\x04\x8e" + (1 << 40).to_bytes(8, "little") + b".",
        b"\x80\x05\x96" + (1 << 62).to_bytes(8, "little") + b".",
        b"I" + b"9" * 100_000 + b"\n.",
        pickle.dumps({1, 2}),
        pickle.dumps(1 + 2j),
        pickle.dumps(Path("a")),
    ],
)
def test_anything_else_is_refused(content: bytes) -> None:
    with pytest.raises(Refused):
        interpret(content, NOTHING)


def test_a_pickle_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickles, "_INSTRUCTIONS", 1000)
    with pytest.raises(Refused, match="over 1,000 instructions"):
        interpret(b"\x80\x02" + b"]" * 1000 + b".", NOTHING)


@pytest.mark.parametrize("seed", range(5))
def test_damage_is_refused_or_gives_plain_values(seed: int) -> None:
    import random

    chance, whole = random.Random(seed), pickle.dumps(VALUE, 4)
    for _ in range(200):
        content = bytearray(whole)
        content[chance.randrange(len(content))] = chance.randrange(256)
        try:
            found = interpret(bytes(content[: chance.randrange(1, len(content) + 1)]), NOTHING)
        except Refused:
            continue
        assert type(found) in (dict, list, tuple, str, bytes, int, float, bool, type(None), Name)
