"""Compare systems over seeds: mean, deviation, and a verdict on each pair.

Pairs are compared seed by seed, over their common seeds. The verdict "better" needs three seeds,
an interval of the mean difference that excludes 0, and a p value below 0.05 after Holm's
correction over all pairs. With one common seed the images are paired instead. That tests
whether the two networks differ, not whether their recipes do, so it never gives "better".

Intervals over seeds cover another training on the same data, scored on the same images.
"""

from hundredfold.comparison._compare import compare
from hundredfold.comparison._paired import t_interval
from hundredfold.comparison._tails import student_critical
from hundredfold.comparison._types import ENOUGH_SEEDS, Comparison, Pair, System, Verdict

__all__ = [
    "ENOUGH_SEEDS",
    "Comparison",
    "Pair",
    "System",
    "Verdict",
    "compare",
    "student_critical",
    "t_interval",
]
