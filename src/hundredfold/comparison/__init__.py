"""Compare systems over seeds: mean, deviation, and what may be said of each pair.

Pairs are compared seed by seed, over the seeds both have. "better" needs three seeds, an
interval of the mean difference that excludes 0, and a p value that stays below 0.05 after
Holm's correction over all pairs. With one seed the images can be paired instead; that says
whether these two networks differ, not whether their recipes do, and no "better" comes of it.

Intervals over seeds speak of training again on the same data, scored on the same images.
"""

from hundredfold.comparison._compare import compare
from hundredfold.comparison._paired import t_interval
from hundredfold.comparison._types import ENOUGH_SEEDS, Comparison, Pair, System, Verdict

__all__ = ["ENOUGH_SEEDS", "Comparison", "Pair", "System", "Verdict", "compare", "t_interval"]
