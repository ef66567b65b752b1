"""Mutants of small valid files of weights, and what reading each of them does.

As a program: `mutants.py COUNT SEED [KIND ...]` reads mutants of each kind and writes a JSON list
of findings, of which there should be none. It is a process of its own, as a C library may end it.
"""

import json
import random
import resource
import struct
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch

from hundredfold.errors import HundredfoldError
from hundredfold.weights import files
from hundredfold.weights.locate import network_of_run, own_metadata, run_size

SECONDS, BYTES = 5.0, 1 << 30
KERNEL, BIAS = (3, 3, 2, 4), (4,)
TENSORS = {"w": torch.ones(2, 3), "b": torch.arange(4.0), "n": torch.tensor(3)}


def _safetensors(path: Path) -> None:
    data = {"recipe_digest": "ab", "model": "resnet(depth=20)", "size": "32", "classes": '["a"]'}
    files.write(path, TENSORS, data)


def _zip(path: Path) -> None:
    torch.save({"state_dict": TENSORS, "ema": {"module": TENSORS}, "epoch": 3}, path)


def _legacy(path: Path) -> None:
    torch.save({"state_dict": TENSORS}, path, _use_new_zipfile_serialization=False)


def _published(path: Path) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        layer = file.create_group("conv/conv")
        options = {"chunks": (3, 3, 2, 2), "compression": "gzip", "shuffle": True}
        layer.create_dataset("kernel:0", data=np.ones(KERNEL, "f4"), **options)
        layer["bias:0"] = np.zeros(BIAS, "f4")
        file["conv"].attrs["weight_names"] = [b"conv/kernel:0", b"conv/bias:0"]


def _saved(path: Path) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        held = file.create_group("layers/conv2d_7/vars")
        held.attrs["name"] = "conv"
        held["0"], held["1"] = np.ones(KERNEL, "f4"), np.zeros(BIAS, "f4")


def _read_torch(path: Path) -> None:
    own_metadata(path)
    run_size(path)
    network_of_run(str(path), path.parent)
    with files.opened(path) as contents:
        small = [name for name, entry in contents.entries.items() if entry.bytes < 1 << 20]
        contents.tensors(small)


def _read_keras(path: Path) -> None:
    from hundredfold.weights.hdf5 import layers

    with layers(path) as arrays_of:
        arrays_of("conv", [KERNEL, BIAS])


KINDS: dict[str, tuple[str, Callable[[Path], None], Callable[[Path], None]]] = {
    "safetensors": (".safetensors", _safetensors, _read_torch),
    "zip": (".pt", _zip, _read_torch),
    "legacy": (".PTH", _legacy, _read_torch),
    "published": (".h5", _published, _read_keras),
    "saved": (".weights.h5", _saved, _read_keras),
}
_NUMBERS = (0, 1, 255, 1 << 15, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 40, (1 << 63) - 1)
_TEXTS = (b"null", b"[]", b"{}", b"-1", b"1e999", b'"\\ud800"', b"[[[[", b"true", b"\x00", b"../")


def mutant(content: bytes, draw: random.Random) -> bytes:
    """Return a file with one to three changes: bits, length fields, pieces, texts, its end."""
    changed = bytearray(content)
    for _ in range(draw.randint(1, 3)):
        index, kind = draw.randrange(len(changed)), draw.randrange(6)
        if kind == 0:
            changed[index] ^= 1 << draw.randrange(8)
        elif kind == 1:
            changed[index] = draw.randrange(256)
        elif kind == 2:
            width = draw.choice((2, 4, 8))
            number = draw.choice(_NUMBERS) % (1 << 8 * width)
            changed[index : index + width] = number.to_bytes(width, "little")
        elif kind == 3:
            other = draw.randrange(len(changed))
            changed[index : index + 16] = changed[other : other + 16]
        elif kind == 4:
            text = draw.choice(_TEXTS)
            changed[index : index + draw.choice((0, 1, len(text)))] = text
        else:
            del changed[index : index + draw.choice((1, 8, len(changed)))]
        if not changed:
            break
    if content[8:9] == b"{" and draw.random() < 0.7:  # a header whose length is right
        end = struct.unpack("<Q", content[:8])[0] - len(content)
        header = bytes(changed[8 : end + 8 + len(changed)])
        return struct.pack("<Q", len(header)) + header + content[len(content) + 8 + end :]
    return bytes(changed)


def findings(kind: str, count: int, seed: int, folder: Path) -> Iterator[str]:
    """Yield a sentence for every mutant that is not read or refused as it should be."""
    suffix, write, read = KINDS[kind]
    path, draw = folder / f"w{suffix}", random.Random(seed)
    write(path)
    content = path.read_bytes()
    read(path)
    for number in range(count):
        path.write_bytes(mutant(content, draw))
        before, began = _largest(), time.process_time()
        try:
            read(path)
        except HundredfoldError as error:
            if len(str(error)) > 1000 or not str(error).replace("\n", "").isprintable():
                yield f"{number}: {str(error)!r}"
        except Exception as error:
            yield f"{number}: {type(error).__name__}: {error}"
        if time.process_time() - began > SECONDS or _largest() - before > BYTES:
            yield f"{number}: {time.process_time() - began:.1f} s, {_largest() - before:,} bytes"


def _largest() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    count, seed = map(int, sys.argv[1:3])
    kinds = sys.argv[3:] or list(KINDS)
    warnings.simplefilter("error")
    with tempfile.TemporaryDirectory() as folder:
        found = [f"{k} {f}" for k in kinds for f in findings(k, count, seed, Path(folder))]
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
