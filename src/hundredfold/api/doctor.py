"""The resources of this machine, and obstacles to a training."""

import platform
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

import hundredfold
from hundredfold import run, wording
from hundredfold.api.options import File, home
from hundredfold.cgroups import cpu_quota
from hundredfold.data import Source
from hundredfold.machine import allowed, cores, instruction_sets, nearest_folder, processor

_EXTRAS = (
    "h5py",
    "pyarrow",
    "onnx",
    "onnxruntime",
    "timm",
    "tensorflow",
    "fastapi",
    "optuna",
    "ray",
)
_SIDE = 1024  # rows and columns of the matrices in the timing trial
_SECONDS = 0.3  # of the timing trial


def examine(out: File = run.RUNS) -> dict[str, dict[str, Any]]:
    """Return facts of this machine: versions, processor, memory, disk, cache and torch.

    out: the folder of the runs. Takes a second, as it times matrix products.
    """
    return {
        "versions": _versions(("torch", "numpy", "pillow", "safetensors")),
        "extras": _versions(_EXTRAS),
        "processor": _processor(),
        "memory": _memory(),
        "disk": _disk(Path(home(out))),
        "cache": _cache(Source()),
        "torch": _torch(),
    }


def _versions(names: tuple[str, ...]) -> dict[str, str | None]:
    versions: dict[str, str | None] = {}
    if names != _EXTRAS:
        versions = {"hundredfold": hundredfold.__version__, "python": platform.python_version()}
    for name in names:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = None
    return versions


def _processor() -> dict[str, Any]:
    return {
        "name": processor(),
        "cores": cores(),
        "allowed": len(allowed()),
        "quota": cpu_quota(),
        "load": round(psutil.getloadavg()[0], 2),
        "instructions": instruction_sets(),
    }


def _memory() -> dict[str, int]:
    memory = psutil.virtual_memory()
    return {"total_bytes": memory.total, "free_bytes": memory.available}


def _disk(out: Path) -> dict[str, Any]:
    folder, writable = nearest_folder(out)
    return {
        "folder": str(folder),
        "writable": writable,
        "free_bytes": psutil.disk_usage(str(folder)).free,
    }


def _cache(source: Source) -> dict[str, Any]:
    files = [path for path in source.cache.rglob("*") if path.is_file() and not path.is_symlink()]
    parts = source.cache / "data"
    data_sets = sorted(path.name for path in parts.iterdir()) if parts.is_dir() else []
    return {
        "folder": str(source.cache),
        "writable": nearest_folder(source.cache)[1],
        "bytes": sum(path.stat().st_size for path in files),
        "data_sets": data_sets,
        "offline": source.offline,
        "data_dir": str(source.folder) if source.folder else None,
    }


def _torch() -> dict[str, Any]:
    """Return torch's threads and devices, and its GFLOP/s of a matrix product per precision."""
    import torch

    gpus = [torch.cuda.get_device_name(k) for k in range(torch.cuda.device_count())]
    torch.set_num_threads(cores())
    return {
        "threads": torch.get_num_threads(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "gpus": gpus,
        "mps": torch.backends.mps.is_available(),
        "fp32_gflops": _gflops(torch.float32),
        "bf16_gflops": _gflops(torch.bfloat16),
    }


def _gflops(kind: Any) -> float:
    import torch

    left, right = (torch.ones(_SIDE, _SIDE, dtype=kind) for _ in range(2))
    best, end = float("inf"), time.perf_counter() + _SECONDS
    while time.perf_counter() < end:
        began = time.perf_counter()
        torch.mm(left, right)
        best = min(best, time.perf_counter() - began)
    return round(2 * _SIDE**3 / best / 1e9, 1)


def advice(facts: dict[str, Any]) -> list[str]:
    """Return one line for each obstacle to a training, from the facts of `examine`."""
    chip, memory, disk, cache = (facts[k] for k in ("processor", "memory", "disk", "cache"))
    gain = facts["torch"]["bf16_gflops"] / facts["torch"]["fp32_gflops"]
    few = f"only {chip['cores']} of {chip['allowed']} cores are used"
    has_cifar100 = cache["data_dir"] or any(
        name.startswith("cifar100") for name in cache["data_sets"]
    )
    spare, left = (wording.memory(device["free_bytes"]) for device in (memory, disk))
    problems = (
        (chip["load"] > 0.75 * chip["cores"], "the machine is busy, which makes training slower"),
        (chip["cores"] < chip["allowed"], f"{few}: a CPU quota or OMP_NUM_THREADS says so"),
        (memory["free_bytes"] < 1.5e9, f"only {spare} of memory are free"),
        (disk["free_bytes"] < 2e9, f"only {left} of disk are free"),
        (not disk["writable"], f"{disk['folder']} cannot be written: --out elsewhere"),
        (not cache["writable"], f"{cache['folder']} cannot be written: set HUNDREDFOLD_CACHE"),
        (gain < 1.15, f"bf16 is only {gain:.1f} times as fast as fp32: training uses fp32"),
        (not has_cifar100, "CIFAR-100 is not in the cache: hundredfold data fetch cifar100"),
    )
    return [line for wrong, line in problems if wrong]
