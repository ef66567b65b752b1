"""Names that hold control characters, or that the output cannot encode, are shown escaped."""

import io
import json
import os
import sys
from pathlib import Path

import pytest

from hundredfold import cli, machine
from hundredfold.cli._output import Output, lasting_output
from hundredfold.displays import Terminal
from hundredfold.reports import html
from hundredfold.wording import visible

NAMES = [
    "\x1b]0;title\x07",
    "\x1b[2J",
    "a\rb",
    "\x9b31m",
    "\x7f",
    "\u202egnp.exe",
    "\u2066x\u2069",
    "\x00",
    os.fsdecode(b"Fr\xfcchte"),
]


def _is_clean(text: str) -> bool:
    return all(c in "\n\t" or (c >= " " and not "\x7f" <= c < "\xa0") for c in text) and not (
        set(text) & set(map(chr, [*range(0x202A, 0x202F), *range(0x2066, 0x206A)]))
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_escaped_uniquely_and_reads_back_from_json(name: str) -> None:
    shown = visible(name)
    assert _is_clean(shown) and shown != name and visible(shown) == shown
    assert json.loads(visible(json.dumps(name, ensure_ascii=False))) == name


@pytest.mark.parametrize("name", ["Äpfel", "שלום\u200f", "日本", "a\tb\nc", "😀"])
def test_plain_names_stay(name: str) -> None:
    assert visible(name) == name


@pytest.mark.parametrize("name", NAMES)
def test_every_way_out_escapes(name: str) -> None:
    stream = io.StringIO()
    Output(stream).write(name)
    Terminal(stream).show({"event": "message", "text": name})
    assert _is_clean(stream.getvalue() + html.tag("p", {"title": name}, name))


def test_what_draws_a_terminal_is_not_escaped() -> None:
    stream = io.StringIO()
    machine.styled(Output(stream)).write("\x1b[2K")  # type: ignore[arg-type]
    assert stream.getvalue() == "\x1b[2K"
    assert machine.styled(stream) is stream


@pytest.mark.parametrize("name", [n for n in NAMES if "\x00" not in n])
@pytest.mark.parametrize("json_flag", [[], ["--json"]])
def test_no_verb_prints_control_characters(
    elsewhere: Path, capsys: pytest.CaptureFixture[str], name: str, json_flag: list[str]
) -> None:
    for verb in (["runs", name], ["report", name], ["train", "--data", name], ["predict", name],
                 ["runs", "--out", name], ["data", "check", name], [name],
                 ["train", "--name", name, "--data", "nope"]):  # fmt: skip
        cli.main([*verb, *json_flag])
        out, err = capsys.readouterr()
        assert _is_clean(out + err) and "internal error" not in out + err, verb
        if json_flag:
            assert isinstance(json.loads(out), dict)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_an_output_of_any_encoding_loses_no_character(
    monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    monkeypatch.setattr(cli, "application", lambda: lambda *_, **__: {"label": "Äpfel – 😀"})
    assert cli.main(["runs", "--json"]) == 0
    assert json.loads(raw.getvalue().decode(encoding)) == {"label": "Äpfel – 😀"}
    with lasting_output() as (out, _):
        out.write("Äpfel – 😀")
        out.flush()
    lost = "\\u2013 \\U0001f600" if encoding != "utf-8" else "– 😀"
    assert raw.getvalue().decode(encoding).endswith(lost)
