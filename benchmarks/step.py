"""Time a training step against the same network in plain eager PyTorch, and in TensorFlow.

    python benchmarks/step.py                                    # the zoo, every precision
    python benchmarks/step.py --model "wrn(depth=16, width=4)" --precision fp32

A step is forward, loss, backward and update on a batch that lies ready. Ours is the step of
`hundredfold train`: uint8 images, the convolution algorithms that its timing trials choose, freed
memory kept. The peers are plain PyTorch (_plain.py) with the same batch, micro-batches and
resizing, and Keras on TensorFlow where that is installed. Speednet is timed at the three
sizes of its recipe.
"""

import argparse
import importlib.util
import statistics
from typing import NamedTuple

import _common
import _ours
import _plain
from _common import Side, Work
from _ours import Recipe, recipes

SPEED = "speed-75"
SGD = "sgd(lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)"
ZOO = {
    "simple_cnn": "adam",
    "resnet(depth=20)": SGD,
    'resnet(depth=18, stem="cifar")': SGD,
    "wrn(depth=16, width=4)": SGD,
}
SIZES = (20, 24, 32)


class Case(NamedTuple):
    """A recipe whose step is timed at a size, under a name."""

    name: str
    recipe: Recipe
    size: int


def cases(only: list[str], batch: int, sets: list[str]) -> list[Case]:
    """Return the zoo, or the models asked for; sets: changes to the recipe of speednet."""
    found = [
        Case(model, Recipe(model=model, optimizer=optimizer, batch_size=batch), 32)
        for model, optimizer in ZOO.items()
    ]
    found += [
        Case(model, Recipe(model=model, optimizer=SGD, batch_size=batch), 32)
        for model in only
        if model not in ZOO and model != "speednet"
    ]
    speed = recipes.load(SPEED).override({}, sets)
    found += [Case("speednet", speed, size) for size in SIZES]
    return [case for case in found if not only or case.name in only]


def tensorflow_is_absent() -> str:
    """Say why there is no TensorFlow column, or nothing where there is one."""
    if importlib.util.find_spec("tensorflow") is None:
        return "tensorflow is not installed"
    if importlib.util.find_spec("_tensorflow_peer") is None:
        return "benchmarks/_tensorflow_peer.py is not there"
    return ""


def tensorflow(recipe: Recipe, size: int, precision: str, threads: int) -> Work:
    """Return the step of Keras on TensorFlow, which is loaded here and nowhere else."""
    import _tensorflow_peer

    return _tensorflow_peer.work(recipe, size, precision, threads)


def sides_of(case: Case, precision: str, options: argparse.Namespace) -> dict[str, Side]:
    """Return ours, the peers that there are for this model, and the GEMM peak."""
    threads, given = options.threads, (case.recipe, case.size, precision)
    ours = (*given, options.library, options.default_memory, options.sequential)
    found = {"ours": _ours.side(ours, threads)}
    if _plain.network(case.recipe.model):
        found["plain"] = Side(_plain.work, given, threads)
    if not tensorflow_is_absent() and case.name in ZOO:
        found["tensorflow"] = Side(tensorflow, (*given, threads), threads)
    found["gemm"] = Side(_common.gemm, (precision, options.gemm), threads)
    return found


def measure(case: Case, precision: str, options: argparse.Namespace) -> _common.Facts:
    """Return rates, ratios to the peers with their range, and the share of the GEMM peak."""
    rates = _common.interleaved_processes(
        sides_of(case, precision, options), options.blocks, options.seconds
    )
    peaks = rates.pop("gemm")
    macs = _ours.macs(case.recipe, case.size)
    return {
        "model": case.name,
        "size": case.size,
        "precision": precision,
        "batch": case.recipe.batch_size,
        "micro_batch": case.recipe.micro_batch,
        "macs": macs,
        "images_per_second": {side: statistics.median(found) for side, found in rates.items()},
        "ratios": {
            side: _common.ratio(rates["ours"], found)
            for side, found in rates.items()
            if side != "ours"
        },
        "gemm_peak": max(peaks),
        "share_of_gemm_peak": _common.share_of_peak(macs, rates["ours"], peaks),
        "blocks": rates,
    }


def cells(row: _common.Facts, peers: list[str]) -> list[str]:
    speeds, ratios = row["images_per_second"], row["ratios"]
    found = [f"{row['model']}, {row['size']} px", row["precision"], f"{speeds['ours']:,.0f}"]
    for peer in peers:
        known = ratios.get(peer)
        found.append(f"{speeds[peer]:,.0f}" if known else "-")
        found.append(
            f"{known['value']:.2f} ({known['low']:.2f}-{known['high']:.2f})" if known else "-"
        )
    return [*found, f"{row['share_of_gemm_peak']:.1%}"]


def main() -> None:
    parser = _common.parser(__doc__)
    parser.add_argument("--model", action="append", default=[], help="a model, or speednet")
    parser.add_argument("--precision", action="append", choices=("fp32", "bf16"), default=[])
    parser.add_argument("--batch", type=int, default=128, help="but for speednet's")
    parser.add_argument("--set", action="append", default=[], help="change speednet's recipe")
    parser.add_argument("--library", action="store_true", help="ours by the library alone")
    parser.add_argument(
        "--sequential", action="store_true", help="ours, micro-batches sequentially"
    )
    parser.add_argument("--default-memory", action="store_true", help="ours, freed memory let go")
    options = parser.parse_args()
    precisions = options.precision or _common.precisions()
    rows = [
        measure(case, precision, options)
        for case in cases(options.model, options.batch, options.set)
        for precision in precisions
    ]
    absent = tensorflow_is_absent()
    peers = ["plain"] if absent else ["plain", "tensorflow"]
    head = [text for peer in peers for text in (peer, f"ours / {peer}")]
    table = [["images a second", "", "ours", *head, "of GEMM peak"]]
    table += [cells(row, peers) for row in rows]
    facts = {"threads": options.threads, "library": options.library}
    facts |= {"sequential": options.sequential, "default_memory": options.default_memory}
    facts |= {"tensorflow_absent": absent}
    facts |= {"n": options.blocks, "precision": " and ".join(precisions)}
    _common.report("step", table, facts | {"rows": rows}, options.record)


if __name__ == "__main__":
    main()
