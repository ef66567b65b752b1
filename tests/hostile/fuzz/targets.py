"""A fuzzing target for each reader of foreign bytes.

A target is a function of bytes that raises nothing but for a promise that was broken, and a list of
sound inputs to begin with. A reader may raise the errors of `hundredfold.errors`, apart from
internal ones, whose message is short. Control characters are escaped where a message is printed.
"""

import atexit
import contextlib
import io
import json
import os
import re
import shutil
import struct
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from hundredfold.errors import HundredfoldError

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_LETTERS = 2000


class Broken(Exception):
    """A promise was broken, as the message says."""


@dataclass(frozen=True)
class Target:
    """A reader: what is done with bytes, and sound inputs."""

    act: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]
    longest: int = 1 << 16


@cache
def _folder() -> Path:
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="hostile-fuzz-", dir=base))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    """Let errors of the package pass, if they are worded as promised."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except HundredfoldError as error:
        text = str(error)
        if error.exit_code == 1:
            raise Broken(f"an internal error: {text}") from error
        if len(text) > _LETTERS:
            raise Broken(f"an error of {len(text)} letters: {text[:200]!r}") from error


def _written(data: bytes, name: str) -> Path:
    path = _folder() / name
    path.write_bytes(data)
    return path


# --- readers


def image(data: bytes) -> None:
    """Decode an image."""
    from hundredfold.data import decode

    with _refusals():
        pixels = decode(data, 16, "x")
        if pixels.shape != (16, 16, 3):
            raise Broken(f"pixels of {pixels.shape}")


def _images() -> list[bytes]:
    from hostile.cases import images

    return [images.original(name) for name in images.FORMATS]


def _read_weights(path: Path) -> None:
    from hundredfold.weights import files

    with _refusals(), files.opened(path) as contents:
        names = [n for n, entry in contents.entries.items() if len(entry.shape) < 3]
        contents.tensors(names[:8])


def safetensors(data: bytes) -> None:
    """Read a .safetensors file."""
    _read_weights(_written(data, "w.safetensors"))


def _safetensors() -> list[bytes]:
    header = {"__metadata__": {"model": "simple_cnn"},
              "w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}  # fmt: skip
    texts = [json.dumps(h).encode() for h in (header, {"w": header["w"]}, {})]
    return [struct.pack("<Q", len(t)) + t + bytes(8 * (b"F32" in t)) for t in texts]


def pickled(data: bytes) -> None:
    """Read a .pt file: the zip of a pickle if the first byte is odd, else the bytes."""
    from hostile.pickles import zipped

    content = zipped(data[1:], _0=bytes(64)) if data[:1] > b"\x7f" else data[1:]
    _read_weights(_written(content, "w.pt"))


def _pickles() -> list[bytes]:
    import zipfile

    from hostile.pickles import sound

    made = [sound(legacy, wrapped) for legacy in (False, True) for wrapped in ("", "model")]
    with zipfile.ZipFile(io.BytesIO(made[0])) as archive:
        inner = next(archive.read(n) for n in archive.namelist() if n.endswith("data.pkl"))
    return [b"\x00" + content for content in made] + [b"\xff" + inner]


def hdf5(data: bytes) -> None:
    """Read a layer of a Keras file."""
    from hundredfold.weights.hdf5 import layers

    path = _written(data, "w.h5")
    with _refusals(), layers(path) as arrays:
        arrays("Conv1", [(3, 3, 3, 32)])


def _hdf5() -> list[bytes]:
    from hostile.hdf5 import HDF5

    world = _folder()
    (world / "here").mkdir(exist_ok=True)
    names = ("integers", "many layers", "names that are numbers", "no layers", "a name alone")
    return [HDF5[name](world) for name in names]


def toml(data: bytes) -> None:
    """Read a recipe and a study."""
    from hundredfold import recipes, studies

    path = _written(data, "r.toml")
    with _refusals():
        recipes.load(str(path))
    with _refusals():
        studies.variants(studies.load(str(path)))


def _tomls() -> list[bytes]:
    from hundredfold import recipes

    return [p.read_bytes() for kind in ("", "studies") for p in recipes.shipped(kind).values()]


RUN_FILES = ("run.json", "recipe.toml", "scores.json", "curve.jsonl", "model.json", "test.json",
             "test.logits.npy", "test.labels.npy", "test.rows.npy", "test.unseen.npy",
             "validation.logits.npy", "validation.labels.npy", "log.txt",
             "calibration.json")  # fmt: skip


@cache
def _sound_run() -> Path:
    """Train a run of a second, to be damaged."""
    from hundredfold import cli

    out = _folder() / "sound"
    argv = ["train", "--data", "shapes(size=16, classes=2, images=12)", "--threads", "1",
            "--model", "densenet(depth=10, growth=4)", "--epochs", "1", "--batch-size", "8",
            "--precision", "fp32", "--patience", "0", "--out", str(out), "--name", "a"]  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        code = cli.main(argv) or cli.main(["evaluate", "a", "--out", str(out), "--threads", "1"])
    if code:
        raise SystemExit("the sound run cannot be made")
    return out / "a"


def run(data: bytes) -> None:
    """List and report a run, one of whose files (the first byte says which) has these bytes."""
    from hundredfold import cli

    out = _folder() / "runs"
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(_sound_run(), out / "a")
    if data:
        (out / "a" / RUN_FILES[data[0] % len(RUN_FILES)]).write_bytes(data[1:])
    for argv in (["runs"], ["runs", "a"], ["report", "a"]):
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code = cli.main([*argv, "--out", str(out)])
        text = said.getvalue()
        if code not in (0, 2, 3, 4, 5, 130, 143) or _CONTROL.search(text) or "Traceback" in text:
            raise Broken(f"{' '.join(argv)}: exit {code}: {text[-400:]!r}")


def _runs() -> list[bytes]:
    sound = _sound_run()
    files = [(k, sound / name) for k, name in enumerate(RUN_FILES)]
    return [bytes([k]) + path.read_bytes() for k, path in files if path.is_file()]


def table(data: bytes) -> None:
    """Read a table."""
    from hundredfold.data import _tables

    with _refusals():
        made = _tables.read(_written(data, "t.csv"))
        if made.columns and any(len(values) != len(made) for values in made.columns.values()):
            raise Broken("columns of unequal length")


def _csvs() -> list[bytes]:
    from hostile.cases import tables

    return [content for content in tables.TABLES.values() if len(content) < 2000]


TARGETS: dict[str, Target] = {
    "image": Target(image, _images),
    "safetensors": Target(safetensors, _safetensors),
    "hdf5": Target(hdf5, _hdf5),
    "pickle": Target(pickled, _pickles),
    "toml": Target(toml, _tomls),
    "run": Target(run, _runs, 1 << 14),
    "csv": Target(table, _csvs, 1 << 14),
}
