"""Files of weights that a stranger made, in each format, given to `train` and left in a run."""

import io
import json
import pickle
import random
import struct
import zipfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from hostile import odd
from hostile.case import HERE, Case
from hostile.cases import runs
from hostile.worker import World

COUNT = 600
NETWORK = "densenet(depth=10, growth=4)"
SMALL = ("--epochs", "1", "--batch-size", "8", "--threads", "1", "--precision", "fp32",
         "--patience", "0", "--set", "validation=0.2", "--name", "n")  # fmt: skip
GIVEN = ("train", "--data", "data", "--model", NETWORK, *SMALL, "--weights")
KERAS = ("train", "--data", "data", "--model", "mobilenet_v2", "--strategy", "linear_probe",
         *SMALL, "--weights")  # fmt: skip
LONG = "w" * 300_000


def furnish(world: World) -> None:
    """Make images, and a run whose weights are the harmless file."""
    runs.pictures(world.base / HERE / "data")
    train = ("train", "--data", "data", "--model", NETWORK, *SMALL[:-1], "done")
    end = world.run(world.base, Case("base", train))
    if end.code:
        raise SystemExit(f"the base cannot be made: {end.stderr.decode()}")
    best = world.base / HERE / "runs" / "done" / "weights" / "best.safetensors"
    (world.base / HERE / "good.safetensors").write_bytes(best.read_bytes())


def cases(seed: int) -> list[Case]:
    """Return all cases, in a random order that depends on the seed."""
    chance = random.Random(seed)
    made = [*_of_safetensors(chance), *_of_pickles(chance), *_of_hdf5(chance)]
    while len(made) < COUNT:
        made.append(_mutant(random.Random(chance.random()), len(made)))
    chance.shuffle(made)
    return made


def _given(name: str, ending: str, content: Callable[[Path], bytes]) -> Iterator[Case]:
    """Yield the commands that read a file: as --weights, and in the place of a run's best."""
    file = f"w{ending}"
    argv = KERAS if ending.endswith(".h5") else GIVEN
    twin = (*GIVEN, "good.safetensors")
    yield Case(
        f"{ending}: {name}",
        (*argv, file),
        lambda world: _put(world / HERE / file, content(world)),
        (f"{HERE}/runs",),
        twin=twin,
    )
    if ending != ".safetensors":
        return
    for verb in (("predict", "done", "data/test"), ("evaluate", "done")):
        best = Path(HERE, "runs", "done", "weights", "best.safetensors")
        yield Case(
            f"{verb[0]} with {name}",
            (*verb, "--threads", "1"),
            lambda world, best=best: _put(world / best, content(world)),
            (f"{HERE}/runs/done",) if verb[0] == "evaluate" else (),
        )


def _put(path: Path, content: bytes) -> None:
    path.write_bytes(content)


# --- safetensors


def _parts(world: Path) -> tuple[dict[str, Any], bytes]:
    data = (world / HERE / "good.safetensors").read_bytes()
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def _joined(header: Any, data: bytes) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def _tensors(world: Path, deed: Callable[[dict[str, Any]], Any]) -> bytes:
    header, data = _parts(world)
    return _joined(deed(header) or header, data)


def _numbers(world: Path, value: float) -> bytes:
    header, data = _parts(world)
    return _joined(header, struct.pack("<f", value) * (len(data) // 4))


def _named(header: dict[str, Any], name: str, **entry: Any) -> dict[str, Any]:
    return {**header, name: {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} | entry}


def _metadata(**values: Any) -> Callable[[Path], bytes]:
    def deed(header: dict[str, Any]) -> dict[str, Any]:
        return {**header, "__metadata__": header["__metadata__"] | values}

    return lambda world: _tensors(world, deed)


SAFETENSORS: dict[str, Callable[[Path], bytes]] = {
    "nothing": lambda _: b"",
    "7 bytes": lambda _: b"\x00" * 7,
    "metadata of null": lambda w: _tensors(w, lambda h: h | {"__metadata__": None}),
    "metadata of a list": lambda w: _tensors(w, lambda h: h | {"__metadata__": [1]}),
    "metadata of a text": lambda w: _tensors(w, lambda h: h | {"__metadata__": "x"}),
    "nested brackets": lambda _: _joined(b"[" * 100_000, b""),
    "nested metadata": lambda _: _joined(b'{"__metadata__":' * 50_000 + b"1" + b"}" * 50_000, b""),
    "60 MB of nested lists": lambda _: _joined(b'{"a":[' + b"[]," * 20_000_000 + b"[]]}", b""),
    "9 MB of nested lists": lambda _: _joined(b'{"a":[' + b"[]," * 3_000_000 + b"[]]}", b""),
    "60 MB of spaces": lambda _: _joined(b" " * 60_000_000 + b"{}", b""),
    "a header of 2^62": lambda _: struct.pack("<Q", 1 << 62) + b"{}",
    "a name of 300 kB": lambda w: _tensors(w, lambda h: _named(h, LONG)),
    "a name of dots": lambda w: _tensors(w, lambda h: _named(h, ".a" * 150_000)),
    "a name of digits": lambda w: _tensors(w, lambda h: _named(h, "layer" + "1" * 300_000)),
    "a name of prefixes": lambda w: _tensors(w, lambda h: _named(h, "module." * 40_000)),
    "every name with module.": lambda w: _tensors(
        w, lambda h: {k if k.startswith("__") else f"module.{k}": v for k, v in h.items()}
    ),
    "100,000 names": lambda w: _tensors(
        w, lambda h: {**h, **{f"n{k}": _named({}, "x")["x"] for k in range(100_000)}}
    ),
    "a name of escapes": lambda w: _tensors(w, lambda h: _named(h, odd.ESCAPE)),
    "half a surrogate": lambda w: _tensors(w, lambda h: _named(h, "\ud800")),
    "shapes of a petabyte": lambda w: _tensors(w, lambda h: _named(h, "x", shape=[1 << 50])),
    "a shape of no numbers": lambda w: _tensors(w, lambda h: _named(h, "x", shape=["2"])),
    "offsets of fractions": lambda w: _tensors(
        w, lambda h: _named(h, "x", data_offsets=[0.5, 0.5])
    ),
    "offsets of 10^30": lambda w: _tensors(
        w, lambda h: _named(h, "x", data_offsets=[10**30, 10**30])
    ),
    "digits": lambda _: _joined(b'{"x":{"dtype":"F32","shape":[' + b"9" * 6000 + b"]}}", b""),
    "an unknown dtype": lambda w: _tensors(w, lambda h: _named(h, "x", dtype=odd.ESCAPE)),
    "no dtype": lambda w: _tensors(w, lambda h: h | {"x": {"shape": [0]}}),
    "an entry of null": lambda w: _tensors(w, lambda h: h | {"x": None}),
    "the same name twice": lambda _: _joined(b'{"x":{},"x":{}}', b""),
    "not finite": lambda w: _numbers(w, float("nan")),
    "infinite": lambda w: _numbers(w, float("inf")),
    "numbers that overflow": lambda w: _numbers(w, 3e38),
    "numbers that overflow below": lambda w: _numbers(w, -3e38),
    "denormal numbers": lambda w: _numbers(w, 1e-42),
    "metadata with an odd model": _metadata(model="transfer()"),
    "metadata with another model": _metadata(model="wrn(depth=28, width=10)"),
    "metadata with a huge model": _metadata(model="densenet(depth=10, growth=1000000000)"),
    "metadata with a model of own": _metadata(model="evil.py:net"),
    "metadata with escapes": _metadata(model=odd.ESCAPE, labels=odd.ESCAPE),
    "metadata with no labels": _metadata(labels="[]", classes="[]"),
    "metadata with odd labels": _metadata(labels="3", classes="3"),
    "metadata with half labels": _metadata(labels='["a', classes='["a'),
    "metadata with other labels": _metadata(labels='["x", "y"]', classes='["x", "y"]'),
    "metadata with a long text": _metadata(model="x" * 1_000_000),
    "metadata with an odd shape": _metadata(shape="[1e9]", input="[-1]", size="99999999999"),
    "metadata with odd eps": _metadata(bn_eps="nan"),
    "metadata with huge eps": _metadata(bn_eps="1e400"),
    "metadata with a strategy": _metadata(strategy="fine_tune(layer_decay=nan)"),
}


def _of_safetensors(chance: random.Random) -> Iterator[Case]:
    for name, content in SAFETENSORS.items():
        yield from _given(name, ".safetensors", content)


# --- pickles


class _Canary:
    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> Any:
        import os

        return os.system, (f"touch {self.place}",)


def zipped(pickled: bytes, kind: int = zipfile.ZIP_STORED, **members: bytes) -> bytes:
    """Return torch's zip around a pickle."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", kind) as archive:
        archive.writestr("a/data.pkl", pickled)
        for name, content in members.items():
            archive.writestr(f"a/data/{name.removeprefix('_')}", content)
    return stream.getvalue()


@cache
def _torch(legacy: bool, wrapped: str) -> bytes:
    """Return a sound file of another network's tensors."""
    import torch

    stream = io.BytesIO()
    tensors = {f"layer{k}.weight": torch.ones(4, 4) for k in range(5)}
    state = {wrapped: tensors, "epoch": 3} if wrapped else tensors
    torch.save(state, stream, _use_new_zipfile_serialization=not legacy)
    return stream.getvalue()


PICKLES: dict[str, Callable[[Path], bytes]] = {
    "nothing": lambda _: b"",
    "half a zip": lambda _: b"PK\x03\x04 and no more",
    "a call": lambda w: zipped(pickle.dumps({"w": _Canary(w / "outside" / "ran")}, 2)),
    "a call by the stack": lambda w: zipped(pickle.dumps({"w": _Canary(w / "outside" / "ran")}, 4)),
    "a bare call": lambda w: pickle.dumps(_Canary(w / "outside" / "ran"), 2),
    "a bomb": lambda _: zipped(bytes(1 << 28), zipfile.ZIP_DEFLATED),
    "a bomb of a storage": lambda _: zipped(b"\x80\x02}.", zipfile.ZIP_DEFLATED, _0=bytes(1 << 28)),
    "many members": lambda _: zipped(b"\x80\x02}.", **{f"_{k}": b"" for k in range(20_000)}),
    "a name of 300 kB": lambda _: zipped(pickle.dumps({LONG: 1}, 2)),
    "a name of escapes": lambda _: zipped(pickle.dumps({odd.ESCAPE: 1}, 2)),
    "names of escapes that are called": lambda _: zipped(b"\x80\x02c" + b"os\x1b[2J\nsystem\n."),
    "a long global": lambda _: zipped(b"\x80\x02c" + b"o" * 500_000 + b"\nsystem\n."),
    "a number of 5,000 digits": lambda _: zipped(b"I" + b"9" * 5000 + b"\n."),
    "a long number": lambda _: zipped(
        b"\x80\x02\x8b" + struct.pack("<i", 1 << 20) + b"\x7f" * (1 << 20) + b"."
    ),
    "tuples of twins": lambda _: zipped(b"\x80\x02}" + b")" + b"2\x86" * 60 + b"K\x01s."),
    "lists in lists": lambda _: zipped(b"\x80\x02" + b"]" * 200_000 + b"a" * 199_999 + b"."),
    "many instructions": lambda _: zipped(b"\x80\x02" + b"}0" * 3_000_000 + b"}."),
    "a deep stack": lambda _: zipped(b"\x80\x02" + b"}" * 3_000_000 + b"."),
    "a wide memo": lambda _: zipped(b"\x80\x02}r\xff\xff\xff\x7f."),
    "a list that holds itself": lambda _: zipped(b"\x80\x02]q\x00h\x00a."),
    "a dictionary that holds itself": lambda _: zipped(b"\x80\x02}q\x00X\x01\x00\x00\x00ah\x00s."),
    "a list": lambda _: zipped(pickle.dumps([1, 2], 2)),
    "a number": lambda _: zipped(pickle.dumps(3, 2)),
    "null": lambda _: zipped(pickle.dumps(None, 2)),
    "odd keys": lambda _: zipped(pickle.dumps({1: 2, None: 3, (1,): 4}, 2)),
    "state_dict of null": lambda _: zipped(pickle.dumps({"state_dict": None}, 2)),
    "state_dict of a number": lambda _: zipped(pickle.dumps({"model": 7, "state_dict": 3}, 2)),
    "nested state_dicts": lambda _: zipped(
        b"\x80\x02" + b"}X\x0a\x00\x00\x00state_dict" * 3000 + b"}" + b"s" * 3000 + b"."
    ),
    "another network": lambda _: _torch(False, ""),
    "another network inside": lambda _: _torch(False, "state_dict"),
    "another network, old": lambda _: _torch(True, ""),
    "another network inside, old": lambda _: _torch(True, "model"),
}


def _of_pickles(chance: random.Random) -> Iterator[Case]:
    for name, content in PICKLES.items():
        ending = chance.choice([".pt", ".pth", ".bin", ".ckpt", ".PTH"])
        yield from _given(name, ending, content)


# --- HDF5


def hdf5(deed: Callable[[Any], None]) -> Callable[[Path], bytes]:
    """Return what makes the bytes of an HDF5 file that `deed` fills."""

    def make(world: Path) -> bytes:
        import h5py

        path = world / HERE / "made.h5"
        with h5py.File(path, "w") as file:
            deed(file)
        content = path.read_bytes()
        path.unlink()
        return content

    return make


def _layer(file: Any, names: Any, name: str = "Conv1") -> Any:
    group = file.create_group(name)
    group.attrs["weight_names"] = names
    return group


def _many_names(file: Any) -> None:
    """Let an attribute refer thousands of times to one long text."""
    import h5py

    group = file.create_group("Conv1")
    text = "x" * 1_000_000
    space = h5py.h5s.create_simple((3900,))
    kind = h5py.h5t.py_create(h5py.string_dtype())
    made = h5py.h5a.create(group.id, b"weight_names", kind, space)
    made.write(np.array([text] + [""] * 3899, dtype=object), mtype=kind)


def _one_chunk(file: Any) -> None:
    layer = _layer(file, [b"Conv1/kernel:0"]).create_group("Conv1")
    layer.create_dataset(
        "kernel:0", shape=(3, 3, 3, 32), maxshape=(None,) * 4, chunks=(3, 3, 3, 1_000_000),
        dtype="f4", compression="gzip", fillvalue=1.0,
    )[...] = 1.0  # fmt: skip


def _external(file: Any) -> None:
    layer = _layer(file, [b"Conv1/kernel:0"]).create_group("Conv1")
    where = [("../outside/notes.txt", 0, 3456)]
    layer.create_dataset("kernel:0", shape=(3, 3, 3, 32), dtype="f4", external=where)


def _linked(file: Any) -> None:
    import h5py

    file["Conv1"] = h5py.ExternalLink("../outside/notes.txt", "/")


def _looping(file: Any) -> None:
    import h5py

    file.create_group("layers")["x"] = h5py.SoftLink("/layers/x")
    file["layers/y"] = file["layers"]


HDF5: dict[str, Callable[[Path], bytes]] = {
    "nothing": lambda _: b"",
    "a signature": lambda _: b"\x89HDF\r\n\x1a\n" + bytes(64),
    "no layers": hdf5(lambda _: None),
    "layers as a data set": hdf5(lambda file: file.create_dataset("layers", data=[1.0])),
    "model_weights as a data set": hdf5(lambda f: f.create_dataset("model_weights", data=[1.0])),
    "a layer as a data set": hdf5(lambda file: file.create_dataset("Conv1", data=[1.0])),
    "no names": hdf5(lambda file: file.create_group("Conv1")),
    "names that are a number": hdf5(lambda file: _layer(file, 3)),
    "names that are numbers": hdf5(lambda file: _layer(file, [1.5, 2.5])),
    "a name alone": hdf5(lambda file: _layer(file, "Conv1/kernel:0")),
    "names of escapes": hdf5(lambda file: _layer(file, [odd.ESCAPE.encode()])),
    "names that lead out": hdf5(lambda file: _layer(file, [b"../../x", b"/"])),
    "names of 60 kB": hdf5(lambda file: _layer(file, [b"x" * 60_000])),
    "3,900 references to a long text": hdf5(_many_names),
    "one large chunk": hdf5(_one_chunk),
    "a file outside": hdf5(_external),
    "a link outside": hdf5(_linked),
    "links in a circle": hdf5(_looping),
    "vars as a data set": hdf5(lambda f: f.create_dataset("layers/a/vars", data=[1.0])),
    "a name that is a number": hdf5(
        lambda f: f.create_group("layers/a/vars").attrs.__setitem__("name", 3)
    ),
    "many layers": hdf5(lambda f: [f.create_group(f"layers/l{k}/vars") for k in range(4000)]),
    "deep groups": hdf5(lambda f: f.create_group("layers/" + "/".join("a" * 300))),
    "integers": hdf5(
        lambda f: _layer(f, [b"Conv1/kernel:0"]).create_dataset(
            "Conv1/kernel:0", data=np.ones((3, 3, 3, 32), "i4")
        )
    ),
    "not finite": hdf5(
        lambda f: _layer(f, [b"Conv1/kernel:0"]).create_dataset(
            "Conv1/kernel:0", data=np.full((3, 3, 3, 32), np.nan, "f4")
        )
    ),
}


def _of_hdf5(chance: random.Random) -> Iterator[Case]:
    for name, content in HDF5.items():
        yield from _given(name, chance.choice([".h5", ".weights.h5"]), content)


# --- mutants


def _mutant(chance: random.Random, number: int) -> Case:
    """Return a case of a sound file, damaged at random."""
    ending = chance.choice([".safetensors"] * 3 + [".pt", ".pth", ".h5"])

    def content(world: Path) -> bytes:
        if ending == ".safetensors":
            header, data = _parts(world)
            if chance.random() < 0.5:
                _, header = odd.changed(header, chance, chance.choice([1, 1, 4]))
                return _joined(header, data)
            return odd.flipped(_joined(header, data), chance)
        if ending == ".h5":
            name = chance.choice(["one large chunk", "integers", "many layers", "no layers"])
            return odd.flipped(HDF5[name](world), chance)
        return odd.flipped(_torch(ending == ".pth", chance.choice(["", "state_dict"])), chance)

    made = list(_given(f"mutant {number}", ending, content))
    return chance.choice(made)
