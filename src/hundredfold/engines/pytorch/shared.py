"""A learner of which every process has a copy, and computes a part of each batch.

Each process makes the whole batch and takes its images. Gradients are added up over all processes
after the backward pass, weighted by the number of images, and every process makes the same update.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from hundredfold.compute import gradient_sums, replicas
from hundredfold.compute.device import sum_type
from hundredfold.compute.portions import Division, Portion, divide
from hundredfold.compute.process_group import ProcessGroup
from hundredfold.compute.random_rows import need_by_index, rows_of
from hundredfold.compute.synchronised import need_known, synchronised
from hundredfold.engines.pytorch.learner import Learner
from hundredfold.errors import UsageError
from hundredfold.optim import share_work
from hundredfold.shortage import is_shortage, shortage

_IN_ORDER = 8  # micro-batches of a batch whose gradients are added one by one, at most


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
        if division.shared:
            need_by_index(self.model)
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
        sums, failed = torch.zeros(2, dtype=sum_type(self.device), device=self.device), False
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
        return sums.to(sum_type(self.device))

    def _take(self, result: replicas.Result) -> None:
        self._statistics.append(list(result.statistics))
        if self._in_order:
            self._kept.append(result.gradients)
        else:
            replicas.add_gradients(self.model, result.gradients)

    @property
    def _in_order(self) -> bool:
        """Whether gradients of micro-batches are added in their order, as one process does."""
        on_cpu = self.device.type == "cpu"
        return on_cpu and not self._divided.shared and sum(self._counts) <= _IN_ORDER

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
        used = gradient_sums.used(self.group, own, failed=failed)
        for bucket in gradient_sums.buckets(trained, used):
            parameters = [trained[k] for k in bucket]
            if self._in_order:
                rows = [[kept[k] for k in bucket] for kept in self._kept]
                gradient_sums.add_in_order(self.group, parameters, rows, self._counts)
            else:
                gradient_sums.add_up(self.group, parameters)
        if not self._divided.shared:
            self._follow_all()

    @property
    def _counts(self) -> list[int]:
        """Return the number of micro-batches of each process."""
        return list(map(len, self._divided.portions))

    def _follow_all(self) -> None:
        """Let BatchNorm follow the micro-batches of all processes, in their order."""
        own = [
            torch.cat([t.reshape(-1) for t in tensors]) for tensors in self._statistics if tensors
        ]
        if not own:
            return
        shapes = [t.shape for t in self._statistics[0]]
        for row in gradient_sums.gathered(self.group, own, self._counts):
            parts = torch.split(row, [shape.numel() for shape in shapes])
            statistics = [part.view(shape) for part, shape in zip(parts, shapes, strict=True)]
            replicas.follow_statistics(self.model, statistics)
