"""Energy that this machine reports: processors by RAPL, NVIDIA GPUs by NVML.

The counters are those of whole packages and cards, so other programs count too. Where a counter
cannot be read, as RAPL without root on most systems, nothing is said about it.
"""

import ctypes
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

RAPL = Path("/sys/class/powercap")
NVML = "libnvidia-ml.so.1"

Counter = Callable[[], float]  # joules since some moment


class Meter:
    """Adds up energy in joules between calls of `read`, by "processor" and "gpu"."""

    def __init__(self, before: Mapping[str, float] | None = None) -> None:
        self.joules = dict(before or {})
        self._counters = [*_packages(RAPL), *_cards()]
        self._last = [count() for _, count, _ in self._counters]

    def read(self) -> dict[str, float]:
        """Return the joules so far, with those since the last call; {} without any counter."""
        for index, (name, count, wraps_at) in enumerate(self._counters):
            with suppress(OSError, ValueError):
                now = count()
                used = now - self._last[index]
                self._last[index] = now
                used += wraps_at if used < 0 else 0.0
                self.joules[name] = self.joules.get(name, 0.0) + max(used, 0.0)
        return self.joules


def _packages(root: Path) -> Iterator[tuple[str, Counter, float]]:
    """Yield name, counter, and where it begins at 0 again, of each processor package."""
    for zone in sorted(root.glob("*-rapl:*")):
        if zone.name.count(":") != 1:  # a part of a package
            continue
        with suppress(OSError, ValueError):
            most = float((zone / "max_energy_range_uj").read_text()) / 1e6
            counter = _of_file(zone / "energy_uj")
            counter()
            yield "processor", counter, most


def _of_file(path: Path) -> Counter:
    return lambda: float(path.read_text()) / 1e6


def _cards() -> Iterator[tuple[str, Counter, float]]:
    """Yield name and counter of each NVIDIA GPU that counts its energy."""
    try:
        nvml = ctypes.CDLL(NVML)
        if nvml.nvmlInit_v2():
            return
        cards = ctypes.c_uint()
        if nvml.nvmlDeviceGetCount_v2(ctypes.byref(cards)):
            return
        for index in range(cards.value):
            handle = ctypes.c_void_p()
            if nvml.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(handle)):
                continue
            counter = _of_card(nvml, handle)
            with suppress(OSError):
                counter()
                yield "gpu", counter, 0.0
    except (OSError, AttributeError):
        return


def _of_card(nvml: ctypes.CDLL, handle: ctypes.c_void_p) -> Counter:
    def joules() -> float:
        millijoules = ctypes.c_ulonglong()
        if nvml.nvmlDeviceGetTotalEnergyConsumption(handle, ctypes.byref(millijoules)):
            raise OSError("this GPU does not count its energy")
        return millijoules.value / 1e3

    return joules
