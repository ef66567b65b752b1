"""Files of weights that a stranger made, in each format, given to `train` and left in a run."""

import json
import random
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hostile import odd
from hostile.case import HERE, Case
from hostile.cases import runs
from hostile.hdf5 import HDF5
from hostile.pickles import LONG, PICKLES, sound
from hostile.worker import World

COUNT = 600
NETWORK = "densenet(depth=10, growth=4)"
SMALL = ("--epochs", "1", "--batch-size", "8", "--threads", "1", "--precision", "fp32",
         "--patience", "0", "--set", "validation=0.2", "--name", "n")  # fmt: skip
GIVEN = ("train", "--data", "data", "--model", NETWORK, *SMALL, "--weights")
KERAS = ("train", "--data", "data", "--model", "mobilenet_v2", "--strategy", "linear_probe",
         *SMALL, "--weights")  # fmt: skip


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


def _of_pickles(chance: random.Random) -> Iterator[Case]:
    for name, content in PICKLES.items():
        ending = chance.choice([".pt", ".pth", ".bin", ".ckpt", ".PTH"])
        yield from _given(name, ending, content)


def _of_hdf5(chance: random.Random) -> Iterator[Case]:
    for name, content in HDF5.items():
        yield from _given(name, chance.choice([".h5", ".weights.h5"]), content)


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
        return odd.flipped(sound(ending == ".pth", chance.choice(["", "state_dict"])), chance)

    made = list(_given(f"mutant {number}", ending, content))
    return chance.choice(made)
