"""Keep the best epoch's weights, and stop when none is better for `patience` epochs.

Epoch 0 is the start of a training whose head was fitted to features before.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor


@dataclass
class Best:
    """The best epoch so far by `select`; without `weights` there is none yet.

    select: "validation.loss" (lower is better), "validation.top_1" (higher is better) or
    "last". patience: epochs without a better one until `exhausted`; 0 is unlimited.
    """

    select: str
    patience: int
    epoch: int = 0
    value: float = 0.0
    weights: Mapping[str, Tensor] = field(default_factory=dict, repr=False)

    def better(self, row: Mapping[str, float]) -> bool:
        """Return whether an epoch's row of the curve is better than the best so far."""
        if self.select == "last" or not self.weights:
            return True
        sign = -1 if self.select == "validation.loss" else 1
        return sign * row[self.select] > sign * self.value

    def take(self, row: Mapping[str, float], weights: Mapping[str, Tensor]) -> None:
        """Set this epoch as the best."""
        self.epoch = int(row["epoch"])
        self.value = row.get(self.select, 0.0)
        self.weights = weights

    def exhausted(self, epoch: int) -> bool:
        """Return whether `patience` epochs have passed since the best."""
        return bool(self.patience) and epoch - self.epoch >= self.patience
