"""A group of processes that train one model together: sums, messages and copies.

Tensors on a CPU and all messages travel by gloo. Sums of tensors on a GPU travel by NCCL, which
needs a GPU of its own for each process. A group has no global state, so a program may hold
several, or a group of its own beside one.

Every process makes the same calls in the same order. A call fails in all processes where one has
ended: the system closes its connections.
"""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor, distributed
from torch._C._distributed_c10d import PrefixStore, Store

from hundredfold.errors import CheckError, UsageError

_PATIENCE = timedelta(hours=24)  # a process waits while another validates, or computes features
_CONNECT = timedelta(minutes=2)  # until processes of one machine, which have started, are connected
_CONNECT_FAR = timedelta(minutes=10)  # until those of several machines have started too
_ADDRESS = "127.0.0.1"  # of processes on one machine: no other machine can connect


class LostProcess(CheckError):
    """A process of the group has ended, or cannot be reached."""


class ProcessGroup:
    """The processes 0 to `world` - 1, of which this one is `rank`.

    device: of the tensors of `sum_`. store: where the processes find each other.
    local: whether all run on this machine; they are reached over loopback only then.
    Raises LostProcess where the others cannot be reached, and UsageError where some compute on a
    CPU and others on a GPU.
    """

    def __init__(
        self,
        store: Store,
        rank: int,
        world: int,
        device: torch.device,
        *,
        local: bool = True,
    ) -> None:
        self.store, self.rank, self.world, self.device = store, rank, world, device
        options = distributed.ProcessGroupGloo._Options()  # type: ignore[attr-defined]
        make = distributed.ProcessGroupGloo.create_device
        default = distributed.ProcessGroupGloo.create_default_device
        options._devices = [make(hostname=_ADDRESS) if local else default()]
        options._timeout = _CONNECT if local else _CONNECT_FAR
        gloo = PrefixStore("gloo", store)
        try:
            self._gloo: Any = distributed.ProcessGroupGloo(gloo, rank, world, options)
            self._gloo._set_default_timeout(_PATIENCE)
            self._sums = self._gloo if not self._on_gpus() else self._nccl()
        except RuntimeError as error:
            raise _lost(error) from None

    def _on_gpus(self) -> bool:
        """Return whether all processes compute on a GPU. Raises UsageError where some do."""
        count = int(self.count(torch.tensor([self.device.type == "cuda"], dtype=torch.int64)))
        if count not in (0, self.world):
            raise UsageError(
                f"{count} of {self.world} processes have a GPU",
                remedy="--device cpu, or machines with as many GPUs as processes",
            )
        return count > 0

    def _nccl(self) -> Any:
        store = PrefixStore("nccl", self.store)
        options = distributed.ProcessGroupNCCL.Options()
        options._timeout = _PATIENCE
        return distributed.ProcessGroupNCCL(store, self.rank, self.world, options)

    def sum_(self, tensor: Tensor) -> Tensor:
        """Replace a tensor on `device` by its sum over all processes, and return it.

        All processes get the same bits.
        """
        self._wait(self._sums, "allreduce", [tensor])
        return tensor

    def gather(self, tensor: Tensor) -> list[Tensor]:
        """Return a tensor on `device` of every process, in their order; all have one shape."""
        tensor = tensor.contiguous()
        all_of_them = [torch.empty_like(tensor) for _ in range(self.world)]
        self._wait(self._sums, "allgather", [all_of_them], [tensor])
        return all_of_them

    def count(self, counts: Tensor) -> Tensor:
        """Replace a tensor of int64 on the CPU by its sum over all processes, and return it."""
        self._wait(self._gloo, "allreduce", [counts])
        return counts

    def ready(self) -> None:
        """Wait until every process has called this."""
        self.count(torch.zeros(1, dtype=torch.int64))

    def numbers(self, numbers: Tensor) -> Tensor:
        """Replace a tensor of int64 by that of process 0, and return it."""
        self._wait(self._gloo, "broadcast", [numbers])
        return numbers

    def text(self, value: Any = None) -> Any:
        """Return a value, as JSON, of process 0."""
        content = json.dumps(value).encode() if self.rank == 0 else b""
        return json.loads(self._bytes(content))

    def tensors(self, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Return tensors by name, on the CPU, of process 0; those of the others are ignored."""
        plain = {name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()}
        return load(self._bytes(save(plain) if self.rank == 0 else b""))

    def close(self) -> None:
        """Close the connections. Calls in other processes that wait for this one fail."""
        for group in {id(g): g for g in (self._sums, self._gloo)}.values():
            group.abort() if group is not self._gloo else group.shutdown()

    def _bytes(self, content: bytes) -> bytes:
        length = self.numbers(torch.tensor([len(content)]))
        data = torch.empty(int(length), dtype=torch.uint8)
        if self.rank == 0:
            data = torch.frombuffer(bytearray(content), dtype=torch.uint8)
        self._wait(self._gloo, "broadcast", [data])
        return data.numpy().tobytes()

    def _wait(self, group: Any, call: str, *tensors: Any) -> None:
        try:
            work = getattr(group, call)(*tensors)
            work.wait()
        except RuntimeError as error:
            raise _lost(error) from None


def _lost(error: RuntimeError) -> LostProcess:
    return LostProcess(
        "a process of this training has ended", found=" ".join(str(error).split())[:200]
    )
