"""Check an exported file with its own runtime against the network, on images of the run.

- numbers: logits agree within `TOLERANCE` of the largest one; classes and scores are equal.
- resize: images of other sizes give what Pillow's resize and the same file give together.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hundredfold import metrics
from hundredfold.calibration import unknown
from hundredfold.data import decode
from hundredfold.errors import CheckError
from hundredfold.exporters._trained import CHECKED, Sample, Trained
from hundredfold.onnx_model import Outputs

TOLERANCE = 1e-4  # of a logit, relative to the largest one where that is over 1
_BATCH = 50  # images
_RESIZED = 4  # images that the resize is checked with
_RESIZE = 0.02  # of a probability: rounding of single pixels by one level
_UNKNOWN = 1e-5

Compute = Callable[[NDArray[np.uint8]], Outputs]


def verify(compute: Compute, trained: Trained, runtime: str) -> dict[str, Any]:
    """Return what was measured. Raises CheckError where a file and the network disagree.

    compute: images (n, height, width, 3) -> the file's outputs. runtime: its name and version.
    """
    sample = trained.sample.first(CHECKED)
    expected = reference(trained, sample)
    found = in_batches(compute, sample.pixels)
    if not np.isfinite(found.logits).all():
        raise _disagreement("its logits are not finite", sample)
    bound = TOLERANCE * max(1.0, float(np.abs(expected).max()))
    difference = _largest(found.logits, expected)
    probabilities = trained.calibration.probabilities(expected)
    check = {
        "runtime": runtime,
        "source": sample.source,
        "n": len(sample),
        "largest_difference": {
            "logits": difference,
            "allowed": bound,
            "probabilities": _largest(found.probabilities, probabilities),
            "unknown": _largest(found.unknown, unknown(found.probabilities)),
        },
        "equal_classes": _equal(found.logits, expected),
        "scores": scores(found.logits, expected, sample.labels),
        "resize": check_resize(compute, trained, sample),
    }
    _need_equal(check, found, expected, sample)
    return check


def reference(trained: Trained, sample: Sample) -> NDArray[np.float32]:
    """Return the network's own logits of a sample."""
    return trained.classifier.logits(sample.pixels, np.arange(len(sample)))


def in_batches(compute: Compute, images: NDArray[np.uint8]) -> Outputs:
    """Compute images batch by batch; the last one may be smaller, so that sizes are seen."""
    parts = [compute(images[first : first + _BATCH]) for first in range(0, len(images), _BATCH)]
    return Outputs(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def scores(
    found: NDArray[np.float32], expected: NDArray[np.float32], labels: NDArray[np.int64]
) -> dict[str, dict[str, float]]:
    """Return the accuracy and the loss of a file and of the network, on the same images."""
    chosen = {"top_1": "top_k(k=1)", "loss": "loss"}
    ours = metrics.scores(expected, labels, metrics=chosen)
    theirs = metrics.scores(found, labels, metrics=chosen)
    return {
        name: {"network": float(ours[name].value), "file": float(theirs[name].value)}
        for name in chosen
        if name in ours
    }


def check_resize(compute: Compute, trained: Trained, sample: Sample) -> dict[str, Any]:
    """Compare the resize of a file with Pillow's, on images of other sizes and aspects."""
    size, resize = trained.classifier.size, trained.classifier.resize
    largest, count = 0.0, 0
    for index, image in enumerate(sample.pixels[:_RESIZED]):
        other = _other_size(image, index)
        resized = decode(other, size, resize=resize)
        inside, outside = compute(other[None]), compute(resized[None])
        largest = max(largest, _largest(inside.probabilities, outside.probabilities))
        count += 1
    return {"n": count, "largest_difference": largest, "allowed": _RESIZE}


def _other_size(image: NDArray[np.uint8], index: int) -> NDArray[np.uint8]:
    """Return an image made larger or smaller, and of another aspect."""
    height, width = image.shape[:2]
    factor = (3, 2, 1, 1)[index % 4]
    larger = image.repeat(factor, 0).repeat(factor, 1)
    cut = larger[: max(1, factor * height * 3 // 4)] if index % 2 else larger[:, : -(width // 5)]
    return np.ascontiguousarray(cut if cut.size else larger)


def _need_equal(
    check: dict[str, Any],
    found: Outputs,
    expected: NDArray[np.float32],
    sample: Sample,
) -> None:
    """Raise CheckError where numbers differ by more than rounding."""
    differences, resize = check["largest_difference"], check["resize"]
    bound = differences["allowed"]
    chosen = np.take_along_axis(expected, found.logits.argmax(1)[:, None], 1)[:, 0]
    others = int(((expected.max(1) - chosen) > 2 * bound).sum())  # a tie may fall either way
    wrong = [
        (not differences["logits"] <= bound, f"logits differ by up to {differences['logits']:.2g}"),
        (others > 0, f"{others} of {check['n']} images get another class"),
        (not differences["probabilities"] <= bound, "probabilities differ"),
        (not differences["unknown"] <= _UNKNOWN, "`unknown` differs"),
        (
            not resize["largest_difference"] <= resize["allowed"],
            f"its resize is not Pillow's: {resize['largest_difference']:.2g} of a probability",
        ),
    ]
    if reasons := [text for failed, text in wrong if failed]:
        raise _disagreement("; ".join(reasons), sample)


def _disagreement(reason: str, sample: Sample) -> CheckError:
    return CheckError(
        "the exported file and the network disagree, so no file was written",
        found=f"{reason} ({len(sample)} {sample.source} images)",
        remedy="export to another target, or report it with the run's recipe",
    )


def _equal(found: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    return float((found.argmax(1) == expected.argmax(1)).mean())


def _largest(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Return the largest difference; infinity where a number is missing."""
    difference = float(np.abs(a.astype(np.float64) - b).max(initial=0))
    return difference if np.isfinite(difference) else float("inf")
