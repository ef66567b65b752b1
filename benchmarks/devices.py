"""One training on two devices against one device, or on a CPU against one process of two threads.

    python benchmarks/devices.py [--case simple-cnn|wrn|wrn-pieces] [--rounds 3]

Every training is a command of its own. The sides of a round follow each other, every other round
in reverse. A rate is that of run.json: training images a second, validation included; starting the
processes is not in it. The difference is the largest one between the last weights of the two
sides, of a tensor's largest value.
"""

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import _common
import _runs
from _common import Facts
from safetensors.torch import load_file

SIDES = {
    "1 process, 2 threads": ["--threads", "2"],
    "2 processes, 1 thread each": ["--threads", "1", "--devices", "2"],
}


class Case(NamedTuple):
    """What is trained. words: the same, for a table."""

    words: str
    arguments: list[str]


_WRN = ["--model", "wrn(depth=10, width=1)", "--epochs", "2"]
CASES = {
    "simple-cnn": Case("`simple_cnn`, no BatchNorm", ["--model", "simple_cnn", "--epochs", "12"]),
    "wrn": Case("`wrn(depth=10, width=1)`, BatchNorm over the batch of 128", _WRN),
    "wrn-pieces": Case(
        "`wrn(depth=10, width=1)`, micro-batches of 64", [*_WRN, "--set", "micro_batch=64"]
    ),
}
SAME = ["--data", "digits", "--batch-size", "128", "--optimizer", "sgd(lr=0.001)",
        "--precision", "fp32", "--patience", "0"]  # fmt: skip


def compare(
    arguments: Sequence[str], sides: Mapping[str, Sequence[str]], rounds: int, out: Path
) -> Facts:
    """Train with the arguments of each of two sides, and return rates and their ratio.

    blocks: images a second of each round. ratio: of the second side over the first.
    """
    rates: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds):
        order = list(sides) if number % 2 == 0 else list(reversed(sides))
        for name in order:
            run = _runs.train(out, f"{number}-{list(sides).index(name)}", *arguments, *sides[name])
            rates[name].append(run["images_per_second"])
    one, two = rates.values()
    return {
        "blocks": rates,
        "ratio": _common.ratio(two, one),
        "difference": difference(*(out / f"0-{side}" for side in range(2))),
    }


def difference(one: Path, other: Path) -> float:
    """Return the largest difference of the last weights of two runs, of a tensor's largest."""
    weights = [load_file(run / "weights" / "last.safetensors") for run in (one, other)]
    return max(
        float((weights[1][name].double() - tensor.double()).abs().max())
        / max(float(tensor.double().abs().max()), 1e-12)
        for name, tensor in weights[0].items()
    )


def _options() -> argparse.Namespace:
    parser = _common.base_parser(__doc__)
    parser.add_argument("--case", choices=CASES, default="simple-cnn")
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


def main() -> None:
    options = _options()
    case = CASES[options.case]
    with tempfile.TemporaryDirectory() as out:
        facts = compare([*SAME, *case.arguments], SIDES, options.rounds, Path(out))
    rates = {name: sorted(many)[len(many) // 2] for name, many in facts["blocks"].items()}
    cells = [options.case, *(f"{rate:,.0f}" for rate in rates.values())]
    cells += [f"{facts['ratio']['value']:.2f}", f"{facts['difference']:.1g}"]
    facts |= {"n": options.rounds, "threads": 2, "precision": "fp32", "case": case.words}
    facts["images_per_second"] = dict(zip(("one", "two"), rates.values(), strict=True))
    _common.report("devices", [["case", *SIDES, "ratio", "difference"], cells], facts,
                   options.record)  # fmt: skip


if __name__ == "__main__":
    main()
