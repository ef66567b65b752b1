"""The flags of `train`: from the recipe, explained, with the words that people know."""

import json
import re
from pathlib import Path

import pytest

from hundredfold.cli import main
from hundredfold.cli._flags import train_signature
from hundredfold.recipe import Recipe

LINE = ["train", "--dry-run", "--json", "--threads", "1", "--precision", "fp32"]
Captured = pytest.CaptureFixture[str]


def recipe_of(line: list[str], capsys: Captured) -> dict[str, object]:
    assert main([*LINE, *line]) == 0
    return dict(json.loads(capsys.readouterr().out)["recipe"])


def test_the_help_shows_every_flag_with_its_words_and_its_default(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    assert main(["train", "--help"]) == 0
    shown = capsys.readouterr().out
    for name in train_signature().parameters:
        flag = "RECIPE" if name == "recipe" else f"--{name.replace('_', '-')}"
        (line,) = re.findall(rf"^\W+{flag}\s.*$", shown, re.M)
        assert re.search(r"[a-z]{2,},? [a-z]{2,}", line), line
        assert "[default: " in line
    for name, field in Recipe.model_fields.items():
        if isinstance(field.default, int | float | str) and field.default != "":
            (line,) = re.findall(rf"^\W+--{name.replace('_', '-')}\s.*$", shown, re.M)
            assert f"[default: {field.default}]" in line
    assert "<model>-<data>-<digest>" in shown


@pytest.mark.parametrize("verb", ["study", "evaluate", "predict", "report", "runs", "models"])
def test_other_verbs_show_a_default_for_every_option(
    verb: str, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    assert main([verb, "--help"]) == 0
    shown = re.sub(r" *│\n│ {10,}", " ", capsys.readouterr().out)
    lines = re.findall(r"^\W+(?:[A-Z-]+ )?--.*$", shown, re.M)
    assert lines
    assert [line for line in lines if "default: " not in line and "required" not in line] == []


def test_words_of_other_programs_are_understood(capsys: Captured) -> None:
    plain = recipe_of(["--data", "digits(size=24)", "--batch-size", "32",
                       "--optimizer", "adam(lr=0.01)"], capsys)  # fmt: skip
    for size, batch in (("--image-size", "--batch"), ("--imgsz", "--batch-size")):
        line = ["--data", "digits", size, "24", batch, "32", "--lr", "0.01"]
        assert recipe_of(line, capsys) == plain


@pytest.mark.parametrize(
    ("flag", "meant"),
    [("--learning-rate", "--lr"), ("--batchsize", "--batch-size"), ("--img-size", "--image-size"),
     ("--epoch", "--epochs"), ("--workers", "--threads"), ("--tokenizer", ""), ("--x", ""),
     ("--gpus", ""), ("--dropout", ""), ("--folder", "")],
)  # fmt: skip
def test_a_suggestion_is_what_was_meant_or_none(flag: str, meant: str, capsys: Captured) -> None:
    assert main(["train", flag, "3"]) == 2
    said = capsys.readouterr().err
    assert ("did you mean" in said) is bool(meant)
    assert not meant or f"did you mean {meant}?" in said


def test_val_is_validation(elsewhere: Path, capsys: Captured) -> None:
    assert main(["train", "--data", "digits", "--epochs", "1", "--limit", "200", "--name", "a",
                 "--threads", "1", "--precision", "fp32"]) == 0  # fmt: skip
    capsys.readouterr()
    assert main(["evaluate", "a", "--split", "val", "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)["scores"]
    assert {name.partition(".")[0] for name in scores} == {"validation"}
    assert (elsewhere / "runs" / "a" / "report.html").is_file()


def test_a_tilde_is_the_home_folder_in_every_path(
    elsewhere: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(elsewhere / "home"))
    home = elsewhere / "home"
    home.mkdir()
    (home / "mine.toml").write_text(
        'data = "digits"\nepochs = 1\nlimit = 200\nprecision = "fp32"\n', encoding="utf-8"
    )
    (home / "tiny.toml").write_text(
        'base = "digits"\nseeds = 1\n[vary.a]\nepochs = 1\nlimit = 200\n', encoding="utf-8"
    )
    out = ["--out", "~/runs"]
    lines = [
        ["train", "~/mine.toml", *out, "--name", "a", "--threads", "1"],
        ["runs", "~/runs/a"], ["runs", *out], ["report", "~/runs/a"], ["report", "a", *out],
        ["evaluate", "a", *out, "--threads", "1"],
        ["study", "~/tiny.toml", *out, "--threads", "1"],
        ["report", "~/runs/tiny"], ["recipes", "~/mine.toml"], ["doctor", *out],
        ["data", "check", "digits", "--preview", "~/grid.png"],
        ["train", "--resume", "~/runs/a"],
    ]  # fmt: skip
    codes = [main(line) for line in lines]
    assert codes == [0] * (len(lines) - 1) + [2], capsys.readouterr().err  # nothing to resume
    assert "is finished" in capsys.readouterr().err
    assert main(["predict", "~/runs/a", "~/grid.png"]) == 0
    assert main(["train", "--data-dir", "~/nowhere", "--data", "cifar100"]) == 3
    assert f"{home}/nowhere" in capsys.readouterr().err
    assert not (elsewhere / "~").exists()
