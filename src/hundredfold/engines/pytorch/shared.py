"""A learner of which every process has a copy, and computes a part of each batch.

Each process makes the whole batch and takes its images. Gradients are added up over all processes
after the backward pass, weighted by the number of images, and every process makes the same update.
"""

import struct
from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import Any, NamedTuple

import torch
from torch import Tensor

from hundredfold import machine
from hundredfold.compute import replicas
from hundredfold.compute.portions import Division, Portion, divide
from hundredfold.compute.process_group import ProcessGroup
from hundredfold.compute.random_rows import rows_of
from hundredfold.compute.synchronised import need_known, synchronised
from hundredfold.compute.threads import threads
from hundredfold.data import Pixels
from hundredfold.engines.pytorch.learner import Learner
from hundredfold.errors import UsageError
from hundredfold.optim import share_work
from hundredfold.shortage import is_shortage, shortage

_IN_ORDER = 8  # micro-batches of a batch whose gradients are added one by one, at most
_BUCKET = 2**23  # gradients that are summed in one go: 32 MB in float32


class Order(IntEnum):
    """What process 0 tells the others to do."""

    END = 0
    EPOCH = 1  # epoch, first batch
    STEP = 2  # progress, key, micro-batch: a step with the epoch's next batch
    AGAIN = 3  # micro-batch: the same step, after memory ran out
    STATE = 4  # take the state of process 0


class Message(NamedTuple):
    """An order with up to three whole numbers."""

    order: Order
    numbers: tuple[int, int, int]


class SharedLearner(Learner):
    """A learner of one process of a group; `join` has to be called before a step."""

    group: ProcessGroup

    def join(self, group: ProcessGroup) -> None:
        """Take part in the steps of a group."""
        self.group = group
        share_work(self.optimizer, group)

    def division(self, batch: int, world: int) -> Division:
        """Return how `world` processes divide a batch.

        Raises UsageError where they cannot.
        """
        pieces = replicas.pieces(batch, self.split_work(batch).micro_batch)
        apart = replicas.computed_apart(self.model, sequential=self._sequential)
        together = replicas.normalises(self.model)
        division = divide(batch, pieces, world, together=together, apart=apart)
        if not all(portion.images for portions in division.portions for portion in portions):
            raise UsageError(
                f"{world} devices cannot share micro-batches of {batch // pieces} images",
                remedy=f"a micro_batch of at least {world}, or fewer devices",
            )
        if division.shared and together:
            need_known(self.model)
        return division

    def _step(self, images: Tensor, targets: Tensor, progress: float, key: int) -> Tensor:
        """Compute this process' part of a step; arguments and result are those of the batch."""
        self._divided, self._batch = self.division(len(images), self.group.world), len(images)
        own = [slice(p.first, p.first + p.images) for p in self._portions]
        parts = [torch.cat([t[rows] for rows in own]) for t in (images, targets)]
        return super()._step(parts[0], parts[1], progress, key)

    @property
    def _portions(self) -> list[Portion]:
        return self._divided.portions[self.group.rank]

    def gradients(
        self,
        images: Tensor,
        targets: Tensor,
        key: int = 0,
        *,
        micro_batch: int = 0,  # noqa: ARG002
    ) -> Tensor:
        """Add the gradients of the whole batch, of which `images` are this process' part.

        Return [mean loss, number correct] of the whole batch. micro_batch: is not used here.
        """
        self._statistics: list[list[Tensor]] = []  # of BatchNorm in each of the own micro-batches
        self._kept: list[Sequence[Tensor | None]] = []  # gradients of each, where added in order
        counts = [portion.images for portion in self._portions]
        pairs = zip(torch.split(images, counts), torch.split(targets, counts), strict=True)
        work = list(zip(pairs, self._portions, strict=True))
        sums, failed = torch.zeros(2, dtype=self._sum_type, device=self.device), False
        try:
            sums = self._own_gradients(work, key)
        except (RuntimeError, MemoryError) as error:
            if not is_shortage(error):
                raise
            if self._divided.shared and replicas.normalises(self.model):
                raise shortage(error) from error  # the others wait within the forward pass
            failed = True
        self._add_up(failed=failed)
        return self.group.sum_(sums)

    def _own_gradients(self, work: list[tuple[replicas.Pair, Portion]], key: int) -> Tensor:
        normalises, shared = replicas.normalises(self.model), self._divided.shared
        if shared and (normalises or self._sequential):
            return self._sequentially(work, key, synchronise=normalises)
        most = 1 if self._sequential else 0
        sums = self._replicas.compute(work, self._batch, key, self._take, most=most)
        return sums.to(self._sum_type)

    def _take(self, result: replicas.Result) -> None:
        self._statistics.append(list(result.statistics))
        if self._in_order:
            self._kept.append(result.gradients)
        else:
            replicas.add_gradients(self.model, result.gradients)

    @property
    def _in_order(self) -> bool:
        """Whether gradients of micro-batches are added in their order, as one process does."""
        count = sum(map(len, self._divided.portions))
        return not self._divided.shared and self.device.type == "cpu" and count <= _IN_ORDER

    def _sequentially(
        self, work: list[tuple[replicas.Pair, Portion]], key: int, *, synchronise: bool
    ) -> Tensor:
        """Compute portions on the model itself, as one process does with whole micro-batches."""
        seeded = not self._sequential and len(work) > 1  # as replicas seed each
        sums = []
        for pair, portion in work:
            if seeded:
                torch.default_generator.manual_seed(key + portion.number)
            with rows_of(self.model, portion):
                if synchronise:
                    with synchronised(self.model, self.group):
                        sums.append(self._gradients(*pair, self._batch))
                else:
                    sums.append(self._gradients(*pair, self._batch))
        return torch.stack(sums).sum(0)

    def _add_up(self, *, failed: bool) -> None:
        """Add up gradients over all processes. Raises MemoryError where one had too little."""
        trained = [p for p in self.model.parameters() if p.requires_grad]
        own = self._kept[0] if self._kept else [p.grad for p in trained]
        there = torch.tensor([failed, *(g is not None for g in own)], dtype=torch.int64)
        flags = self.group.count(there).tolist()
        if flags[0]:
            raise MemoryError("not enough memory for a micro-batch in one of the processes")
        used = [k for k, flag in enumerate(flags[1:]) if flag]
        for bucket in _buckets(trained, used):
            if self._in_order:
                self._sum_in_order(bucket, trained)
            else:
                self._sum_gradients([trained[k] for k in bucket])
        if not self._divided.shared:
            self._follow_all()

    @torch.no_grad()
    def _sum_gradients(self, parameters: list[torch.nn.Parameter]) -> None:
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        gradients = [p.grad for p in parameters if p.grad is not None]
        total = self.group.sum_(torch.cat([g.reshape(-1) for g in gradients]))
        for gradient, part in zip(
            gradients, torch.split(total, [g.numel() for g in gradients]), strict=True
        ):
            gradient.copy_(part.view_as(gradient))

    @torch.no_grad()
    def _sum_in_order(self, bucket: list[int], trained: list[torch.nn.Parameter]) -> None:
        """Add the gradients of all micro-batches, in the order in which one process adds them."""
        parameters = [trained[k] for k in bucket]
        rows = [torch.cat([_flat(kept[k], trained[k]) for k in bucket]) for kept in self._kept]
        sizes = [p.numel() for p in parameters]
        for row in self._gathered(rows):
            parts = zip(parameters, torch.split(row, sizes), strict=True)
            for parameter, part in parts:
                if parameter.grad is None:
                    parameter.grad = torch.empty_like(parameter).copy_(part.view_as(parameter))
                else:
                    parameter.grad.add_(part.view_as(parameter))

    def _gathered(self, rows: list[Tensor]) -> Iterator[Tensor]:
        """Yield a row of numbers of each micro-batch of all processes, in their order."""
        portions = self._divided.portions
        table = rows[0].new_zeros(max(map(len, portions)), len(rows[0]))
        table[: len(rows)] = torch.stack(rows)
        for rank, gathered in enumerate(self.group.gather(table)):
            yield from gathered[: len(portions[rank])]

    def _follow_all(self) -> None:
        """Let BatchNorm follow the micro-batches of all processes, in their order."""
        own = [
            torch.cat([t.reshape(-1) for t in tensors]) for tensors in self._statistics if tensors
        ]
        if not own:
            return
        shapes = [t.shape for t in self._statistics[0]]
        for row in self._gathered(own):
            parts = torch.split(row, [shape.numel() for shape in shapes])
            statistics = [part.view(shape) for part, shape in zip(parts, shapes, strict=True)]
            replicas.follow_statistics(self.model, statistics)

    @property
    def _sum_type(self) -> torch.dtype:
        return torch.float64 if self.device.type == "cpu" else torch.float32


class Leader(SharedLearner):
    """The learner of process 0, which tells the others what to do."""

    _current = False  # whether the others have this state
    _waiting = False  # whether the others wait for an order

    world = 1  # processes, before they have joined

    def join(self, group: ProcessGroup) -> None:
        """Take part in the steps of a group; the others wait for orders."""
        super().join(group)
        self._waiting = True

    def tell(self, order: Order, *numbers: int) -> None:
        """Tell the other processes what to do."""
        padded = [int(order), *numbers, 0, 0, 0][:4]
        self.group.numbers(torch.tensor(padded, dtype=torch.int64))

    def begin_epoch(self, epoch: int, start: int) -> None:
        """Tell the others which batches come next."""
        self.tell(Order.EPOCH, epoch, start)

    def end(self) -> bool:
        """Let the other processes end; return whether they waited for an order."""
        waiting, self._waiting = self._waiting, False
        if waiting:
            self.tell(Order.END)
        return waiting

    def step(self, images: Tensor, targets: Tensor, progress: float, key: int) -> Tensor:
        """Train on one batch, of which this process computes a part."""
        self._waiting = False
        if not self._current:
            self.tell(Order.STATE)
            self.group.tensors(self.tensors())
            self._current = True
        self.tell(Order.STEP, _bits(progress), key, self.micro_batch)
        sums = super().step(images, targets, progress, key)
        self._waiting = True
        return sums

    def load(self, tensors: Any) -> None:
        super().load(tensors)
        self._current = False

    def shared_threads(self, batch_size: int) -> int:  # noqa: ARG002
        """Return 1: the other processes of this training are no competing ones."""
        return 1

    def logits(self, pixels: Pixels, indices: Any) -> Any:
        """Return logits, computed with the threads of the processes that wait."""
        own = torch.get_num_threads()
        free = own * self.group.world if self.device.type == "cpu" else own
        with threads(max(own, min(free, machine.cores()))):
            return super().logits(pixels, indices)

    def _halve(self, batch: int) -> None:
        self._waiting = True
        super()._halve(batch)
        self._waiting = False
        self.tell(Order.AGAIN, self.micro_batch)


class Ended(Exception):
    """Process 0 has ended the training."""


class Follower(SharedLearner):
    """The learner of another process, which does what process 0 tells it."""

    def hear(self) -> Message:
        """Wait for an order. Raises Ended at the end of the training."""
        order, *numbers = self.group.numbers(torch.zeros(4, dtype=torch.int64)).tolist()
        if order == Order.END:
            raise Ended
        return Message(Order(order), (numbers[0], numbers[1], numbers[2]))

    def follow_step(self, batch: tuple[Tensor, Tensor], message: Message) -> None:
        """Compute this process' part of a step."""
        bits, key, self.micro_batch = message.numbers
        self.step(*batch, progress=_number(bits), key=key)

    def _halve(self, batch: int) -> None:  # noqa: ARG002
        self.optimizer.zero_grad()
        self.micro_batch = self.hear().numbers[0]
        if self.device.type == "cuda":
            torch.cuda.empty_cache()


def _buckets(parameters: list[torch.nn.Parameter], used: list[int]) -> list[list[int]]:
    """Return indices of parameters in groups of one dtype and about `_BUCKET` numbers."""
    buckets: list[list[int]] = []
    room, kind = 0, None
    for index in used:
        parameter = parameters[index]
        if room < parameter.numel() or parameter.dtype != kind:
            buckets.append([])
            room, kind = max(_BUCKET, parameter.numel()), parameter.dtype
        buckets[-1].append(index)
        room -= parameter.numel()
    return buckets


def _flat(gradient: Tensor | None, parameter: torch.nn.Parameter) -> Tensor:
    return torch.zeros_like(parameter).view(-1) if gradient is None else gradient.reshape(-1)


def _bits(number: float) -> int:
    return int(struct.unpack("<q", struct.pack("<d", number))[0])


def _number(bits: int) -> float:
    return float(struct.unpack("<d", struct.pack("<q", bits))[0])
