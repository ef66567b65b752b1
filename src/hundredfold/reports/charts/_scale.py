"""The coordinates of a drawing: the scale of one axis, and the frame of two axes."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """A linear or logarithmic map of values to [0, 1], from `low` to `high`.

    If low > high, the scale runs backwards and has no ticks.
    """

    low: float
    high: float
    logarithmic: bool = False

    def fraction(self, value: float) -> float:
        low, high = self._bend(self.low), self._bend(self.high)
        return (self._bend(value) - low) / (high - low) if high != low else 0.5

    def ticks(self, count: int = 5) -> list[float]:
        """Return round values inside the scale, about `count` of them."""
        if self.logarithmic:
            return _log_ticks(self.low, self.high)
        step = _step((self.high - self.low) / max(count, 1))
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [round(k * step, 12) for k in range(first, last + 1)]

    def _bend(self, value: float) -> float:
        return math.log(max(value, 1e-300)) if self.logarithmic else value


@dataclass(frozen=True)
class Frame:
    """The area of a chart: scales, size, margins (top, right, bottom, left) in pixels."""

    x: Scale
    y: Scale
    width: float = 460
    height: float = 290
    margins: tuple[float, float, float, float] = (14, 16, 40, 48)

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return the coordinates of a point in pixels."""
        width, height = self.inner
        down = self.y.fraction(y) * height
        return self.left + self.x.fraction(x) * width, self.bottom - down

    @property
    def left(self) -> float:
        return self.margins[3]

    @property
    def right(self) -> float:
        return self.width - self.margins[1]

    @property
    def top(self) -> float:
        return self.margins[0]

    @property
    def bottom(self) -> float:
        return self.height - self.margins[2]

    @property
    def inner(self) -> tuple[float, float]:
        return self.right - self.left, self.bottom - self.top


def _step(rough: float) -> float:
    if rough <= 0 or not math.isfinite(rough):
        return 1.0
    power = 10.0 ** math.floor(math.log10(rough))
    return next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough * 0.999)


def _log_ticks(low: float, high: float) -> list[float]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for parts in ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0)):
        ticks = [m * 10.0**p for p in range(first, last + 1) for m in parts]
        inside = [v for v in ticks if low * 0.999 <= v <= high * 1.001]
        if len(inside) >= 3:
            return inside
    return inside or [low, high]
