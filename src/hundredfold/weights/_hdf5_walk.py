"""Walk a HDF5 file in a process of its own, with limits.

The HDF5 library is not made for foreign files: a small one can keep it busy for ever, or end the
process. What it does to a walk through the whole structure, it does here first.
"""

import subprocess
import sys
from pathlib import Path

_PROCESSOR = 3  # seconds
_MEMORY = 4 << 30  # bytes of addresses
_WALL = 60  # seconds, beside other processes
_OBJECTS = 100_000  # groups and arrays
_DEPTH = 20


def need_harmless(file: Path) -> None:
    """Raise ValueError for a file whose structure keeps the library busy, or crashes it."""
    command = [sys.executable, "-P", __file__, str(file)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_WALL, check=False)
    except subprocess.TimeoutExpired:
        raise ValueError(f"reading its structure takes more than {_WALL} s") from None
    if done.returncode < 0:
        raise ValueError(f"reading its structure takes more than {_PROCESSOR} s, or ends Python")


def _walk(file: str) -> None:
    import h5py

    try:
        import resource  # after h5py, whose own start is not counted
    except ImportError:  # Windows has none
        pass
    else:
        spent = int(resource.getrusage(resource.RUSAGE_SELF).ru_utime) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (spent + _PROCESSOR, spent + _PROCESSOR))
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    with h5py.File(file, "r") as root:
        waiting, seen = [(root, 0)], 0
        while waiting and seen < _OBJECTS:
            item, depth = waiting.pop()
            seen += 1
            for name in ("name", "weight_names", "layer_names"):
                if name in item.attrs:
                    _ = item.attrs[name]
            if isinstance(item, h5py.Dataset):
                _ = item.shape, item.dtype, item.chunks, item.is_virtual, item.external
            elif depth < _DEPTH:
                hard = (k for k in item if isinstance(item.get(k, getlink=True), h5py.HardLink))
                waiting += [(item[key], depth + 1) for key in hard]


if __name__ == "__main__":
    _walk(sys.argv[1])
