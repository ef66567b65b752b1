"""A model with its optimizer: one training step, and the state that it changes."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from hundredfold.compute import replicas
from hundredfold.compute.device import sum_type
from hundredfold.compute.precision import autocast
from hundredfold.data import Pixels
from hundredfold.engines.pytorch import inference, memory
from hundredfold.inference import load_weights
from hundredfold.optim import Optimizer
from hundredfold.size import Size, SizeLike
from hundredfold.weights.files import size

Schedule = Callable[[float], float]
Resolution = Callable[[float, Any], SizeLike]  # progress, size of the data: `Size.given`
Loss = Callable[[Tensor, Tensor], Tensor]


class Learner:
    """Train a model step by step.

    precision: "fp32" or "bf16". micro_batch: images per forward pass, which BatchNorm normalises;
    gradients are summed over the batch. 0 lets `replicas.split_work` choose.
    sequential: compute micro-batches sequentially, each on all threads. This is always so on a
    GPU, with torch.compile, or where the model cannot be replicated.
    compiled: torch.compile fuses forward and backward pass, once per image size; the first step of
    each size waits for it.
    average: decay per step of an exponential moving average of the weights (Polyak & Juditsky
    1992), which is then scored and kept; 0 is off. In step t it is at most (1 + t) / (10 + t), so
    that the random first weights do not count long.
    say: logs a line where a step runs out of memory and continues with a smaller micro-batch.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: Optimizer,
        loss: Loss,
        schedule: Schedule,
        resolution: Resolution,
        *,
        precision: str,
        average: float = 0.0,
        micro_batch: int = 0,
        compiled: bool = False,
        sequential: bool = False,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.model = model.train()
        self.optimizer = optimizer
        self.loss = loss
        self.schedule = schedule
        self.resolution = resolution
        self.precision = precision
        self.decay = average
        self.micro_batch = micro_batch
        self.device = next(model.parameters()).device
        self.rates = [float(group["lr"]) for group in optimizer.param_groups]
        self.average = copy.deepcopy(model) if average else None
        self._averaged = 0  # steps that the average has followed
        plain = self._loss_and_correct
        self._loss_fn = torch.compile(plain, dynamic=False) if compiled else plain
        self._sequential = sequential or compiled or not replicas.can_replicate(model)
        self._replicas = replicas.ReplicaPool(model, self._loss_fn)
        self._retry, self._say = memory.Retry(self.model), say

    def step(self, images: Tensor, targets: Tensor, progress: float, key: int) -> Tensor:
        """Train on one batch; return [mean loss, number correct] on the device.

        They are float64 on a CPU and float32 elsewhere (`device.sum_type`).

        images: uint8 (batch, 3, height, width). targets: (batch, classes). progress: in [0, 1].
        key: seeds dropout, so that a resumed run drops the same units. A step that runs out of
        memory is retried with half the micro-batch. Raises CheckError where two images do not fit.
        """
        return self._retry(
            lambda: self._step(images, targets, progress, key), lambda: self._halve(len(images))
        )

    def _step(self, images: Tensor, targets: Tensor, progress: float, key: int) -> Tensor:
        if self.device.type == "cpu":  # torch.manual_seed also initialises GPUs, which is slow
            torch.default_generator.manual_seed(key)
        else:
            torch.manual_seed(key)
        factor = self.schedule(progress)
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * factor
        if images.dtype == torch.uint8:  # features and stored activations have one resolution
            pixels = Size(*images.shape[2:])
            images = resized(images, self.resolution(progress, pixels.given))
        sums = self.gradients(images, targets, key)
        self.update()
        return sums

    def _halve(self, batch: int) -> None:
        self.optimizer.zero_grad()
        size = self.split_work(batch).micro_batch
        self.micro_batch = memory.half(size)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        self._say(
            f"memory     {size} images per micro-batch do not fit; the batch stays {batch}, in "
            f"micro-batches of {self.micro_batch}, which is what BatchNorm sees"
        )

    def split_work(self, batch: int) -> replicas.WorkSplit:
        """Return the split of work on a batch of `batch` images."""
        return replicas.split_work(self.model, batch, self.micro_batch, sequential=self._sequential)

    def shared_threads(self, batch_size: int) -> int:
        """Return the CPU threads per operation of a step; 1 on a GPU."""
        return self.split_work(batch_size).threads if self.device.type == "cpu" else 1

    def gradients(
        self, images: Tensor, targets: Tensor, key: int = 0, *, micro_batch: int = 0
    ) -> Tensor:
        """Add the gradients of a batch's mean loss; return [mean loss, number correct].

        micro_batch: images per forward pass; 0 is that of `split_work`.
        """
        size = micro_batch or self.split_work(len(images)).micro_batch
        count = replicas.pieces(len(images), size)
        split = torch.tensor_split(images, count), torch.tensor_split(targets, count)
        pairs = list(zip(*split, strict=True))
        if len(pairs) > 1 and not self._sequential:
            return self._replicas.gradients(pairs, key)
        return torch.stack([self._gradients(*pair, len(images)) for pair in pairs]).sum(0)

    def _gradients(self, images: Tensor, targets: Tensor, batch: int) -> Tensor:
        loss, correct = self._loss_fn(self.model, images, targets)
        loss = loss * (len(images) / batch)
        loss.backward()  # type: ignore[no-untyped-call]
        kind = sum_type(self.device)
        return torch.stack((loss.detach().to(kind), correct.to(kind)))

    def _loss_and_correct(
        self, model: nn.Module, images: Tensor, targets: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return mean loss and number of correct predictions as scalars."""
        with autocast(self.device, self.precision):
            logits = model(images)
        logits = logits.float()
        correct = (logits.detach().argmax(1) == targets.argmax(1)).sum()
        return self.loss(logits, targets), correct

    def update(self) -> None:
        """Apply the gradients and delete them; update the averaged weights."""
        with autocast(self.device, self.precision):  # Muon multiplies matrices
            self.optimizer.step()
        self.optimizer.zero_grad()
        if self.average:
            self._averaged += 1
            decay = min(self.decay, (1 + self._averaged) / (10 + self._averaged))
            _update_average(self.average, self.model, 1 - decay)

    @property
    def scored(self) -> nn.Module:
        """The network that is scored and kept: the averaged one where averaging is on."""
        return self.average or self.model

    def rate(self, progress: float) -> float:
        """Return the first group's learning rate in a step at that progress."""
        return self.rates[0] * self.schedule(progress)

    def weights(self) -> dict[str, Tensor]:
        """Return a copy of the weights that are scored and kept."""
        return {name: t.detach().clone() for name, t in self.scored.state_dict().items()}

    def logits(self, pixels: Pixels, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return logits (len(indices), classes), in the precision of training."""
        return inference.logits(
            self.scored, pixels, indices, device=self.device, precision=self.precision
        )

    def final(
        self, weights: Mapping[str, Tensor], pixels: Pixels, indices: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Load weights, which the model keeps; return fp32 logits (len(indices), classes)."""
        load_weights(self.model, dict(weights), "memory")
        return inference.logits(self.model, pixels, indices, device=self.device)

    def weights_bytes(self) -> int:
        """Return the size of a file with `weights`, in bytes."""
        return size(self.scored.state_dict())

    def state_bytes(self) -> int:
        """Return the size of a file with `tensors` after the first step, in bytes."""
        buffers = {f"optimizer.{name}": t for name, t in self.optimizer.outline().items()}
        return size(self.tensors() | buffers)

    def tensors(self) -> dict[str, Tensor]:
        """Return the state that a step changes, by name, without copying."""
        tensors = {f"model.{name}": t for name, t in self.model.state_dict().items()}
        if self.average:
            tensors |= {f"average.{name}": t for name, t in self.average.state_dict().items()}
            tensors["averaged"] = torch.tensor(self._averaged)
        return tensors | {f"optimizer.{name}": t for name, t in self.optimizer.tensors().items()}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore the state that `tensors` returned."""
        self.model.load_state_dict(_with_prefix("model.", tensors))
        if self.average:
            self.average.load_state_dict(_with_prefix("average.", tensors))
            self._averaged = int(tensors["averaged"])
        self.optimizer.load(_with_prefix("optimizer.", tensors))


def resized(images: Tensor, size: SizeLike) -> Tensor:
    """Return uint8 images (batch, 3, height, width) in another size, antialiased.

    Features (batch, channels) and activations (batch, channels, height, width), which are no
    uint8, are returned as they are.
    """
    sides = tuple(Size.of(size))
    if images.dtype != torch.uint8 or images.shape[2:] == sides:
        return images
    small = functional.interpolate(images, sides, mode="bilinear", antialias=True)
    return small.contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def _update_average(average: nn.Module, model: nn.Module, weight: float) -> None:
    """Interpolate the average towards the model by `weight`; integer buffers are copied."""
    pairs = zip(average.state_dict().values(), model.state_dict().values(), strict=True)
    moving: list[tuple[Tensor, Tensor]] = []
    counters: list[tuple[Tensor, Tensor]] = []
    for pair in pairs:
        (moving if pair[0].is_floating_point() else counters).append(pair)
    torch._foreach_lerp_([a for a, _ in moving], [m for _, m in moving], weight)
    for averaged, current in counters:
        averaged.copy_(current)


def _with_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
