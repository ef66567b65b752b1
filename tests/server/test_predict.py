"""What a server answers: the same for every kind of body, alone and in a batch."""

import base64
import io
import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from served import Server

from hundredfold.prediction import Prediction

Picture = Callable[..., bytes]
RED, BLUE = (230, 20, 20), (20, 20, 230)


def _probabilities(file: bytes) -> dict[str, float]:
    """Compute what the network of the fixture does, in NumPy."""
    pixels = np.asarray(Image.open(io.BytesIO(file)).convert("RGB"), np.float64)
    powers = np.exp(0.02 * pixels.mean(axis=(0, 1)))
    return dict(zip(("red", "green", "blue"), powers / powers.sum(), strict=True))


def _multipart(*parts: tuple[str | None, bytes]) -> tuple[bytes, str]:
    body = b""
    for name, data in parts:
        of_file = f'; filename="{name}"' if name else ""
        body += f'--edge\r\nContent-Disposition: form-data; name="image"{of_file}\r\n'.encode()
        body += b"Content-Type: image/png\r\n\r\n" + data + b"\r\n"
    return body + b"--edge--\r\n", "multipart/form-data; boundary=edge"


def test_an_image_gets_the_probabilities_of_the_network(server: Server, picture: Picture) -> None:
    file = picture((200, 90, 40))
    status, answer = server.post(file)
    (entry,) = answer["predictions"]
    expected = _probabilities(file)
    assert status == 200
    assert (entry["file"], entry["label"], entry["error"]) == (None, "red", None)
    found = {one["label"]: one["probability"] for one in entry["top"]}
    assert list(found) == ["red", "green", "blue"]
    assert found == pytest.approx(expected, abs=1e-6)
    assert entry["probability"] == found["red"]
    assert 0 < entry["unknown"] < 1


def test_an_answer_has_the_keys_of_predict_json(server: Server, picture: Picture) -> None:
    _, answer = server.post(picture(RED))
    values = np.array([0.2, 0.8], np.float32)
    keys = Prediction("a.png", ("a", "b"), values).to_json().keys()
    assert list(answer) == ["predictions"]
    assert answer["predictions"][0].keys() == keys


def test_every_kind_of_body_gets_the_same_answer(server: Server, picture: Picture) -> None:
    file = picture(BLUE, (40, 30), "JPEG")
    text = base64.b64encode(file).decode()
    body, kind = _multipart(("ü.jpg", file))
    sent = [
        (file, "image/jpeg", None),
        (file, "application/octet-stream", None),
        (file, "application/x-www-form-urlencoded", None),
        (body, kind, "ü.jpg"),
        (json.dumps({"images": [{"file": "b.jpg", "data": text}]}).encode(), None, "b.jpg"),
        (json.dumps({"images": [text]}).encode(), None, None),
        (json.dumps({"image": f"data:image/jpeg;base64,{text}"}).encode(), None, None),
    ]
    answers = []
    for data, content, name in sent:
        status, answer = server.post(data, content_type=content or "application/json")
        assert status == 200, (content, answer)
        (entry,) = answer["predictions"]
        assert entry.pop("file") == name
        answers.append(entry)
    assert all(answer == answers[0] for answer in answers)
    assert answers[0]["label"] == "blue"


def test_a_body_without_a_type_is_an_image(server: Server, picture: Picture) -> None:
    file = picture(RED)
    with server.connect() as one:
        one.sendall(b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(file))
        one.sendall(file)
        assert b'"label": "red"' in one.recv(65536)


def test_an_image_has_the_same_answer_alone_and_in_a_batch(
    server: Server, start: Callable[..., Server], picture: Picture
) -> None:
    other = start("--max-wait=1000", "--max-batch=24")  # so that what comes together is one batch
    draw = np.random.default_rng(0)
    files = [picture(tuple(map(int, draw.integers(0, 256, 3)))) for _ in range(24)]
    alone = [server.post(file)[1]["predictions"][0] for file in files]
    with ThreadPoolExecutor(24) as pool:
        together = [a["predictions"][0] for _, a in pool.map(other.post, files)]
    batches = re.search(r"batch_images_count (\d+)\n", other.get("/metrics")[1].decode())
    assert batches and int(batches[1]) < 24
    for one, same in zip(alone, together, strict=True):
        assert one["label"] == same["label"]
        assert one["probability"] == pytest.approx(same["probability"], abs=1e-6)
        assert one["unknown"] == pytest.approx(same["unknown"], abs=1e-6)


def test_images_are_answered_in_their_order_and_a_bad_one_has_its_error(
    server: Server, picture: Picture
) -> None:
    body, kind = _multipart(("a", picture(RED)), ("b", b"no image"), ("c", picture(BLUE)))
    status, answer = server.post(body, content_type=kind)
    found = [(e["file"], e["label"], bool(e["error"])) for e in answer["predictions"]]
    assert status == 200
    assert found == [("a", "red", False), ("b", None, True), ("c", "blue", False)]
    assert answer["predictions"][1]["top"] == []


def test_top_is_how_many_classes_are_listed(server: Server, picture: Picture) -> None:
    for wanted, listed in (("1", 1), ("2", 2), ("900", 3)):
        _, answer = server.post(picture(RED), f"/predict?top={wanted}")
        assert len(answer["predictions"][0]["top"]) == listed
    for wrong in ("0", "-1", "x", "1.5", "99999999999999999999", "%FF"):
        assert server.post(picture(RED), f"/predict?top={wrong}")[0] == 400


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"", "image/png", 400),
        (b"no image", "image/png", 400),
        (b"\x89PNG\r\n\x1a\n", "image/png", 400),
        (b"x", "text/html", 415),
        (b"{", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'{"images": 3}', "application/json", 400),
        (b'{"images": []}', "application/json", 400),
        (b'{"images": [null]}', "application/json", 400),
        (b'{"images": ["*"]}', "application/json", 400),
        (b'{"images": [{"file": 3, "data": ""}]}', "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"--edge--\r\n", "multipart/form-data; boundary=edge", 400),
        (b"--edge\r\n", "multipart/form-data; boundary=edge", 400),
        (b"x", "multipart/form-data", 400),
        (b"x" * (33 * 2**20), "image/png", 413),
    ],
)
def test_a_request_without_an_image_gets_its_reason(
    server: Server, body: bytes, kind: str, status: int
) -> None:
    found, answer = server.post(body, content_type=kind)
    assert found == status, answer
    assert answer["error"]["message"]
    assert answer["request_id"]
    assert "Traceback" not in json.dumps(answer)


def test_too_many_images_are_refused(server: Server, picture: Picture) -> None:
    text = base64.b64encode(picture(RED)).decode()
    body = json.dumps({"images": [text] * 257}).encode()
    assert server.post(body, content_type="application/json")[0] == 413
    body, kind = _multipart(*[("a", picture(RED))] * 257)
    assert server.post(body, content_type=kind)[0] == 413


def test_bounds_of_the_file_are_in_the_answer(
    start: Callable[..., Server], tmp_path: Path, picture: Picture
) -> None:
    from onnx_by_hand import mean_colour

    bounds: dict[str, Any] = {
        "reject": {"rule": "accuracy=0.95", "threshold": 0.9},
        "sets": {"coverage": 0.9, "threshold": 0.2},
    }
    server = start(
        "--reject-at=accuracy=0.95", "--sets=0.9", file=mean_colour(tmp_path / "a.onnx", **bounds)
    )
    (sure,) = server.post(picture(RED))[1]["predictions"]
    (unsure,) = server.post(picture((128, 128, 128)))[1]["predictions"]
    assert (sure["rejected"], sure["set"]) == (False, ["red"])
    assert (unsure["rejected"], sorted(unsure["set"])) == (True, ["blue", "green", "red"])
    assert unsure["label"] is not None
