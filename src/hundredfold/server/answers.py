"""What is sent back: predictions as `predict --json` prints them, errors as JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hundredfold.server.bodies import RETRY, BadRequest, Upload
from hundredfold.server.jobs import Problem, Refusal

JSON = "application/json"


@dataclass(frozen=True)
class Answer:
    """A response. headers: beside the usual ones. images: in the request."""

    status: int
    body: bytes
    kind: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    images: int | None = None


def predictions(images: Sequence[Upload], answers: Sequence[bytes | Refusal]) -> Answer:
    """Return predictions, as `predict --json` prints them, with an error for what has none.

    Raises BadRequest where no image has a prediction, or the server could not do its part.
    """
    refusals = [answer for answer in answers if isinstance(answer, Refusal)]
    for refusal in refusals:
        if refusal.problem is Problem.NOT_NOW:
            raise BadRequest(503, refusal.message, "send it again", headers=RETRY)
    if len(refusals) == len(answers):
        raise BadRequest(refusals[0].problem.value, refusals[0].message)
    entries = [
        b'{"file": ' + json.dumps(image.file).encode() + b", " + _entry(answer)[1:]
        for image, answer in zip(images, answers, strict=True)
    ]
    return Answer(200, b'{"predictions": [' + b", ".join(entries) + b"]}", images=len(images))


def _entry(answer: bytes | Refusal) -> bytes:
    if isinstance(answer, bytes):
        return answer
    nothing: dict[str, Any] = {"label": None, "probability": None, "top": [], "unknown": None}
    return json.dumps(nothing | {"error": answer.message}).encode()


def refused(problem: BadRequest, identity: str) -> Answer:
    """Return the answer to a request that gets no prediction."""
    error = {"message": problem.message} | ({"try": problem.remedy} if problem.remedy else {})
    body = json.dumps({"error": error, "request_id": identity}).encode()
    return Answer(problem.status, body, headers=problem.headers)
