"""Which epoch's weights are kept, and when training stops for want of a better one."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor


@dataclass
class Best:
    """The best epoch so far by `select`; epochs count from 1.

    select: "validation.loss" (lower is better), "validation.top_1" (higher is better) or
    "last". patience: epochs without a better one before `exhausted`; 0 never is.
    """

    select: str
    patience: int
    epoch: int = 0
    value: float = 0.0
    weights: Mapping[str, Tensor] = field(default_factory=dict, repr=False)

    def better(self, row: Mapping[str, float]) -> bool:
        """Tell whether an epoch's row of the curve beats the best so far."""
        if self.select == "last" or self.epoch == 0:
            return True
        sign = -1 if self.select == "validation.loss" else 1
        return sign * row[self.select] > sign * self.value

    def take(self, row: Mapping[str, float], weights: Mapping[str, Tensor]) -> None:
        """Remember this epoch as the best."""
        self.epoch = int(row["epoch"])
        self.value = row.get(self.select, 0.0)
        self.weights = weights

    def exhausted(self, epoch: int) -> bool:
        """Tell whether `patience` epochs have passed since the best."""
        return bool(self.patience) and epoch - self.epoch >= self.patience
