"""The command line as a whole: help, exit codes, one sentence an error, one JSON object."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from hundredfold import cli, machine
from hundredfold.cli import main

VERBS = [
    "train",
    "study",
    "tune",
    "watch",
    "evaluate",
    "predict",
    "export",
    "serve",
    "report",
    "data",
    "runs",
    "models",
    "recipes",
    "doctor",
]


def run(*arguments: str, code: str = "") -> subprocess.CompletedProcess[str]:
    command = ["-c", code] if code else ["-m", "hundredfold", *arguments]
    return subprocess.run([sys.executable, *command], capture_output=True, text=True, timeout=120)


def replace(monkeypatch: pytest.MonkeyPatch, verb: str, problem: BaseException) -> None:
    """Let a verb raise."""

    def command(*, json: bool = False) -> None:
        raise problem

    module = ModuleType(f"hundredfold.cli.{verb}")
    setattr(module, verb, command)
    monkeypatch.setitem(sys.modules, module.__name__, module)


def test_help_names_every_verb_in_order_and_loads_nothing_heavy() -> None:
    code = (
        "import sys; from hundredfold.cli import main; assert main(['--help']) == 0\n"
        "heavy = ('torch', 'sklearn', 'matplotlib', 'scipy', 'numpy', 'PIL', 'pydantic')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = run(code=code)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
    places = [done.stdout.index(f" {verb} ") for verb in VERBS]
    assert places == sorted(places)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "--help"]) == 0
    assert f"hundredfold {verb}" in capsys.readouterr().out


@pytest.mark.parametrize("verb", ["study", "report", "runs", "recipes"])
def test_a_verb_that_computes_nothing_loads_no_torch(verb: str) -> None:
    code = (
        "import sys; from hundredfold.cli import main; main(sys.argv[1:])\n"
        f"main(['{verb}', '--help']); print('torch' in sys.modules, 'sklearn' in sys.modules)"
    )
    assert run(code=code).stdout.splitlines()[-1] == "False False"


@pytest.mark.parametrize("given", [{}, {"OMP_WAIT_POLICY": "ACTIVE"}, {"GOMP_SPINCOUNT": "7"}])
def test_how_threads_wait_is_set_unless_the_user_has(
    given: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in machine.WAITING:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delitem(sys.modules, "torch", raising=False)  # OpenMP reads them as torch loads
    assert cli.main(["--version"]) == 0
    found = {name: os.environ[name] for name in machine.WAITING if name in os.environ}
    assert found == (given or machine.WAITING)


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == "hundredfold 0.1.0\n"


@pytest.mark.parametrize(
    ("arguments", "sentence", "remedy"),
    [
        (["tran"], "hundredfold has no verb 'tran'", "did you mean 'train'?"),
        (["data", "fetsh"], "hundredfold data has no verb 'fetsh'", "did you mean 'fetch'?"),
        (["train", "--epoch", "3"], "unknown option: --epoch", "did you mean --epochs?"),
        (["train", "--epochs", "x"], 'invalid value for --epochs: unable to convert "x"', None),
        (["train", "--epochs"], "--epochs requires an argument", None),
        (["study"], "study requires an argument", None),
        (["study", "quickstart", "--jobs", "0"], "jobs=0 is out of range", None),
    ],
)
def test_wrong_usage_is_one_sentence_and_exit_2(
    arguments: list[str], sentence: str, remedy: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert sentence.lower() in err.lower()
    assert remedy is None or f"try:   {remedy}" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "sentence", "remedy"),
    [
        (["train", "resnet-2"], "no recipe is called 'resnet-2'", "resnet-20"),
        (["train", "--model", "resnt"], "no model is called 'resnt'", "resnet"),
        (["train", "--model", "wrn(dept=16)"], "wrn has no option 'dept'", "depth"),
        (["train", "--data", "digitz"], "no data set is called 'digitz'", "digits"),
        (["train", "--set", "epoch=3"], "cannot set 'epoch=3'", "epochs"),
        (["train", "mine.toml"], "a recipe has no key 'epoch'", "epochs"),
        (["train", "--resume", "digit-run"], "there is no run 'digit-run'", "hundredfold train"),
        (["evaluate", "nothing"], "there is no run 'nothing'", "hundredfold train"),
        (["runs", "nothing"], "there is no run 'nothing'", "hundredfold train"),
        (["study", "baseline"], "no study is called 'baseline'", "baselines"),
        (["recipes", "wrn-28"], "no recipe or study is called 'wrn-28'", "wrn-28-10"),
    ],
)
def test_an_unknown_name_is_one_sentence_with_a_remedy(
    arguments: list[str],
    sentence: str,
    remedy: str,
    capsys: pytest.CaptureFixture[str],
    elsewhere: Path,
) -> None:
    (elsewhere / "mine.toml").write_text("epoch = 3", encoding="utf-8")
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert sentence in err
    assert remedy in err.partition("try:")[2]


def test_with_json_an_error_is_an_object_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes", "resnet-2", "--json"]) == 2
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert found["exit_code"] == 2
    assert found["error"]["message"] == "no recipe or study is called 'resnet-2'"
    assert found["error"]["try"] == "did you mean 'resnet-20'?"
    assert err.startswith("error: no recipe or study is called")


def test_with_json_wrong_usage_is_an_object_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes", "--jsn", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["try"] == "did you mean --json?"


def test_with_json_nothing_else_is_on_stdout(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def doctor(*, json: bool = False) -> dict[str, object]:
        sys.stdout.write("said aloud\n")
        return {"path": Path("a"), "bad": float("nan"), "pair": (1, 2)}

    module = ModuleType("hundredfold.cli.doctor")
    module.doctor = doctor  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    assert main(["doctor", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == {"path": "a", "bad": None, "pair": [1, 2]}
    assert err == "said aloud\n"


def test_what_is_not_foreseen_is_exit_1_and_its_trace_is_kept(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    replace(monkeypatch, "doctor", RuntimeError("two\nlines"))
    assert main(["doctor"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("error: internal error: RuntimeError: two lines\n")
    assert "Traceback" not in err
    (kept,) = tmp_path.rglob("error-*.txt")
    assert "Traceback" in kept.read_text(encoding="utf-8")
    assert str(kept) in err


def test_the_trace_is_shown_when_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUNDREDFOLD_DEBUG", "1")
    replace(monkeypatch, "doctor", RuntimeError("oh"))
    assert main(["doctor"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_full_disk_is_one_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    replace(monkeypatch, "doctor", OSError(28, os.strerror(28), "runs/a/run.json"))
    assert main(["doctor"]) == 5
    err = capsys.readouterr().err
    assert err.startswith("error: No space left on device: 'runs/a/run.json'\n")
    assert "internal" not in err


def test_ctrl_c_is_exit_130(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    replace(monkeypatch, "doctor", KeyboardInterrupt())
    assert main(["doctor"]) == 128 + signal.SIGINT
    assert capsys.readouterr().err == "error: interrupted\n"


def test_a_reader_that_leaves_early_is_no_error() -> None:
    command = f"{sys.executable} -m hundredfold recipes | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120)
    assert done.stderr == ""


def test_no_colour_where_none_is_wanted() -> None:
    environment = os.environ | {"NO_COLOR": "1", "FORCE_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "hundredfold", "--help"],
        capture_output=True,
        env=environment,
        timeout=120,
    )
    assert b"\x1b[3" not in done.stdout


def test_every_verb_is_a_file_of_its_name() -> None:
    folder = Path(cli.__file__).parent
    assert {path.stem for path in folder.glob("[a-z]*.py")} == set(VERBS)


@pytest.mark.parametrize(
    "line",
    ["train --batch-size 12.7", "train --threads 0x2", "study quickstart --seeds 2.5",
     "predict RUN IMAGE --top 1.0", "models --classes ten"],
)  # fmt: skip
def test_a_whole_number_is_not_rounded_to(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(line.split()) == 2
    *_, flag, value = line.split()
    found = capsys.readouterr()
    assert found.out == ""
    assert found.err.splitlines()[0] == (
        f'error: invalid value for {flag}: "{value}" is not a whole number'
    )


@pytest.mark.parametrize(("given", "epochs"), [("0.5", 0.5), ("8", 8), ("2.0", 2)])
def test_epochs_may_be_a_part(
    given: str, epochs: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["train", "--data", "digits", "--dry-run", "--json", "--out", str(tmp_path)]
    assert main([*line, "--epochs", given]) == 0
    found = json.loads(capsys.readouterr().out)["recipe"]["epochs"]
    assert (found, type(found)) == (epochs, type(epochs))
