"""The process that infers: pixels in, predictions as JSON out.

`python -m hundredfold.server.worker DESCRIPTOR FILE THREADS`.
"""

import json
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hundredfold.errors import HundredfoldError
from hundredfold.onnx_model import OnnxModel, open_onnx
from hundredfold.server.channel import Blob, Pipe
from hundredfold.server.children import stand_back
from hundredfold.server.stamps import stamp_of

_NOT_FINITE = b"the network computes numbers that are not finite"


def main(descriptor: int, path: Path, threads: int) -> None:
    """Open the file, say what it holds, and infer until the front is gone."""
    stand_back()
    pipe = Pipe(descriptor)
    try:
        stamp = stamp_of(path)
        model = open_onnx(path, threads, spins=False)
        _warm_up(model)
        facts = _facts(model) | {"stamp": stamp}
    except HundredfoldError as error:
        refusal = {"error": error.message, "try": error.remedy, "exit_code": error.exit_code}
        pipe.send([json.dumps(refusal).encode()])
        return
    pipe.send([json.dumps(facts).encode()])
    answers = Answers(model)
    while (message := pipe.receive()) is not None:
        head, *images = message
        tops = struct.unpack(f">{len(images)}H", head)
        pixels = np.stack([np.frombuffer(image, np.uint8) for image in images])
        pipe.send(answers.of(pixels.reshape(len(images), *model.size, 3), tops))


class Answers:
    """Predictions of a model as JSON, without the name of the file."""

    def __init__(self, model: OnnxModel) -> None:
        self._model = model
        self._labels = [json.dumps(label) for label in model.classes]

    def of(self, images: NDArray[np.uint8], tops: tuple[int, ...]) -> list[Blob]:
        """Return for each image a word and its JSON, or a word and the reason for having none.

        images: (n, height, width, 3). tops: (n,), how many classes are listed.
        """
        outputs = self._model.run(images)
        most = min(max(tops), len(self._labels))
        order = np.argsort(-outputs.probabilities, axis=1, kind="stable")[:, :most]
        best = outputs.probabilities[np.arange(len(tops))[:, None], order]
        finite = np.isfinite(outputs.probabilities.sum(axis=1) + outputs.unknown)
        blobs: list[Blob] = []
        for row, top in enumerate(tops):
            if finite[row]:
                pairs = zip(order[row, :top].tolist(), best[row, :top].tolist(), strict=True)
                unknown = float(outputs.unknown[row])
                bounds = self._bounds(outputs.probabilities[row], unknown)
                blobs += [b"json", self._text(list(pairs), unknown, bounds).encode()]
            else:
                blobs += [b"failed", _NOT_FINITE]
        return blobs

    def _text(self, pairs: list[tuple[int, float]], unknown: float, bounds: str) -> str:
        """Return the JSON of a prediction. pairs: class and probability, best first."""
        listed = [f'{{"label": {self._labels[k]}, "probability": {p!r}}}' for k, p in pairs]
        best = listed[0].removeprefix("{").removesuffix("}")
        top = ", ".join(listed)
        return f'{{{best}, "top": [{top}], "unknown": {unknown!r}{bounds}, "error": null}}'

    def _bounds(self, probabilities: NDArray[np.float32], unknown: float) -> str:
        """Return the JSON of `rejected` and `set`, where the file has such bounds."""
        calibration, text = self._model.calibration, ""
        if calibration.reject:
            text += f', "rejected": {"true" if unknown > calibration.reject.threshold else "false"}'
        if calibration.sets:
            order = np.argsort(-probabilities, kind="stable")
            count = max(1, int((probabilities >= calibration.sets.threshold).sum()))
            text += f', "set": [{", ".join(self._labels[k] for k in order[:count])}]'
        return text


def _warm_up(model: OnnxModel) -> None:
    """Infer once, so that the first client does not wait for what is set up then."""
    model.run(np.zeros((1, *model.size, 3), np.uint8))


def _facts(model: OnnxModel) -> dict[str, Any]:
    calibration, metadata = model.calibration, model.metadata
    kept = ("kind", "model", "recipe_digest", "data_digest", "weights_sha256", "scores", "license")
    return {
        "labels": list(model.classes),
        "size": str(model.size),
        "resize": model.resize,
        "temperature": calibration.temperature,
        "reject": calibration.reject and vars(calibration.reject),
        "sets": calibration.sets and vars(calibration.sets),
        "metadata": {name: metadata[name] for name in kept if name in metadata},
    }


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
