"""How many devices compute a training, and which of them is this process' own."""

from typing import NamedTuple

import torch

from hundredfold import machine
from hundredfold.compute import device, torchrun
from hundredfold.errors import UsageError
from hundredfold.recipe import Recipe
from hundredfold.training.options import Options


class Devices(NamedTuple):
    """`world` processes compute a training, `local` of them on this machine, each on a device.

    own: the device of this process.
    """

    own: torch.device
    world: int = 1
    local: int = 1


def choose(options: Options, recipe: Recipe) -> Devices:
    """Return the devices of a training.

    Raises UsageError for devices that are not there, and for more devices than a batch has images.
    """
    if options.following:
        own = device.choose(options.device)
        return Devices(own, options.following, options.following)
    placed = torchrun.rank()
    if placed is None and options.devices in ("", "1"):
        return Devices(device.choose(options.device))
    if placed and options.devices:
        raise UsageError(
            f"torchrun has started {placed.world} processes, and --devices {options.devices} "
            "would start others",
            remedy="one of them alone",
        )
    own, local = device.choose(options.device), placed.local_world if placed else 0
    count = placed.world if placed else _count(options.devices, own)
    _need_there(options.device, own, local or count)
    if count > recipe.batch_size:
        raise UsageError(
            f"{count} devices cannot share a batch of {recipe.batch_size} images",
            remedy=f"--devices {recipe.batch_size}, or a larger --batch-size",
        )
    own = of_rank(options.device, 0) if count > 1 else own
    return Devices(own, count, local or count)


def of_rank(name: str, local_rank: int) -> torch.device:
    """Return the device of a process on its machine, one of several. Raises UsageError."""
    own = device.choose(name)
    return torch.device("cuda", local_rank) if own.type == "cuda" else own


def threads(options: Options, devices: Devices) -> int:
    """Return the threads of each process: the processes of a machine divide its cores."""
    return options.threads or (
        0 if devices.local == 1 else max(1, machine.cores() // devices.local)
    )


def _count(text: str, own: torch.device) -> int:
    if text != "all":
        return int(text)
    if own.type != "cuda":
        raise UsageError(
            f"--devices all takes every GPU, and this training is on {own.type}",
            remedy="--devices 2 for two processes on a CPU",
        )
    return torch.cuda.device_count()


def _need_there(name: str, own: torch.device, count: int) -> None:
    """Raise UsageError where this machine has not `count` devices of a kind."""
    if count == 1:
        return
    if own.type == "mps":
        raise UsageError("there is one MPS device on a machine", remedy="--devices 1")
    if own.type != "cuda":
        return
    if ":" in name:
        raise UsageError(
            f"--device {name} is one GPU, and {count} devices are asked for",
            remedy=f"--device cuda --devices {count}; CUDA_VISIBLE_DEVICES chooses among GPUs",
        )
    there = torch.cuda.device_count()
    if count > there:
        raise UsageError(
            f"{count} GPUs are asked for, and {there} are there", remedy=f"--devices {there}"
        )
