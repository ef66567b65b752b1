"""What process 0 tells the other processes of a training to do, and the learners on either side."""

import struct
from enum import IntEnum
from typing import Any, NamedTuple

import torch
from torch import Tensor

from hundredfold import machine
from hundredfold.compute.process_group import ProcessGroup
from hundredfold.compute.threads import threads
from hundredfold.data import Pixels
from hundredfold.engines.pytorch.shared import SharedLearner


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


def _bits(number: float) -> int:
    return int(struct.unpack("<q", struct.pack("<d", number))[0])


def _number(bits: int) -> float:
    return float(struct.unpack("<d", struct.pack("<q", bits))[0])
