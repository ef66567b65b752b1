"""The page of a network in headless Chromium, beside ONNX Runtime in Python."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

ort = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

SIDE = 16
Pixels = NDArray[np.uint8]


def _pixels(height: int, width: int, seed: int = 0) -> Pixels:
    """Return a smooth random picture, which JPEG keeps nearly as it is."""
    small = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


def _file(pixels: Pixels, form: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form, **options)
    return buffer.getvalue()


def _expected(network: bytes, pixels: Pixels) -> NDArray[np.float32]:
    session = ort.InferenceSession(network, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["probabilities"], {"images": pixels[None]})[0][0])


def _answered(answer: list[dict[str, Any]], labels: list[str]) -> NDArray[np.float64]:
    by_label = {entry["label"]: entry["probability"] for entry in answer}
    return np.array([by_label[label] for label in labels])


def test_pictures_of_png_get_the_probabilities_of_python(opened: Any, network: bytes) -> None:
    browser = opened()
    labels = browser.js("window.hundredfold.labels")
    for height, width in ((SIDE, SIDE), (40, 23), (1, 7), (300, 400)):
        pixels = _pixels(height, width, height)
        answer = browser.classify(_file(pixels))
        assert [e["probability"] for e in answer] == sorted(
            (e["probability"] for e in answer), reverse=True
        )
        np.testing.assert_allclose(
            _answered(answer, labels), _expected(network, pixels), rtol=0, atol=1e-5
        )
    assert (browser.fetched, browser.complaints) == ([], [])


def test_turned_grey_palette_and_transparent_pictures_are_those_of_pillow(
    opened: Any, network: bytes
) -> None:
    browser = opened()
    labels = browser.js("window.hundredfold.labels")
    pixels = _pixels(24, 40)
    exif = Image.Exif()
    exif[274] = 6  # the camera was held upright
    grey = np.asarray(Image.fromarray(pixels).convert("L"))
    palette = Image.fromarray(pixels).quantize(32)
    buffer = io.BytesIO()
    palette.save(buffer, "PNG")
    clear = np.dstack([pixels, np.linspace(0, 255, 24 * 40).reshape(24, 40).astype(np.uint8)])
    white = Image.new("RGBA", (40, 24), "white")
    on_white = Image.alpha_composite(white, Image.fromarray(clear)).convert("RGB")
    profile = _file(pixels, icc_profile=b"no profile at all")
    for content, seen, allowed in (
        (_file(pixels, "PNG", exif=exif), np.rot90(pixels, -1), 1e-5),
        (_file(grey), np.dstack([grey] * 3), 1e-5),
        (buffer.getvalue(), np.asarray(palette.convert("RGB")), 1e-5),
        (profile, pixels, 1e-5),
        (_file(clear), np.asarray(on_white), 2e-3),  # a level of one in 256
        (_file(pixels, "JPEG", quality=95), None, 5e-3),
        (_file(pixels, "WEBP", lossless=True), pixels, 1e-5),
    ):
        if seen is None:
            seen = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
        expected = _expected(network, np.ascontiguousarray(seen))
        found = _answered(browser.classify(content), labels)
        np.testing.assert_allclose(found, expected, rtol=0, atol=allowed)


@pytest.mark.parametrize("policy", ["crop", "pad", "stretch"])
def test_large_pictures_are_resized_to_the_pixels_of_pillow(
    opened: Any, network: bytes, policy: str
) -> None:
    """The page resizes pictures above two million pixels, before the network sees them."""
    from hundredfold import data

    browser = opened(resize=policy)
    noise = np.random.default_rng(1).integers(0, 256, (1200, 1801, 3), np.uint8)
    content = _file(noise, compress_level=1)
    expected = _expected(network, data.decode(content, SIDE, resize=policy))  # type: ignore[arg-type]
    found = _answered(browser.classify(content), browser.js("window.hundredfold.labels"))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_what_is_no_picture_is_refused_with_a_sentence(opened: Any, tmp_path: Path) -> None:
    browser = opened()
    assert browser.refusal(b"") == "The file is empty."
    assert "no picture that this browser reads" in browser.refusal(b"words, not pixels")
    large = Image.new("1", (10_000, 5_001))
    buffer = io.BytesIO()
    large.save(buffer, "PNG")
    assert "10000 x 5001 pixels, over 50 million" in browser.refusal(buffer.getvalue())
    assert "no picture" in browser.js(
        "window.hundredfold.classify('cat').catch((error) => error.message)"
    )
    file = tmp_path / "a <b>.png"
    file.write_bytes(b"words")
    browser.choose(file)
    browser.wait(lambda: bool(browser.text("#problem")))
    assert browser.text("#problem").startswith("“a <b>.png” is no picture")
    assert browser.classify(_file(_pixels(8, 8)))  # it goes on


def test_labels_that_look_like_markup_are_text(opened: Any, tmp_path: Path) -> None:
    browser = opened()
    assert browser.js("document.title").endswith("a classifier")
    assert browser.js("document.querySelectorAll('script').length") == 5
    assert "</script>" in browser.js("window.hundredfold.labels")[2]
    assert browser.complaints == []


def test_a_chosen_picture_gets_bars_and_a_map_of_what_mattered(opened: Any, tmp_path: Path) -> None:
    browser = opened()
    file = tmp_path / "picture.png"
    file.write_bytes(_file(_pixels(30, 50)))
    browser.choose(file)
    browser.wait(lambda: bool(browser.text("#answer")))
    best = browser.classify(file.read_bytes())[0]
    assert browser.text("#answer").startswith(best["label"])
    assert browser.js("document.querySelectorAll('#bars li').length") == 5
    browser.js("document.querySelector('#explain').click()")
    browser.wait(lambda: "mattered" in browser.text("#explained"))
    assert browser.js("document.querySelector('#heat').hidden") is False
    assert "80.5 %" in browser.text("#about") and "79.7–81.2" in browser.text("#about")
    assert (browser.fetched, browser.complaints) == ([], [])


def test_several_pictures_can_be_looked_at_again(opened: Any, tmp_path: Path) -> None:
    browser = opened()
    files = [tmp_path / f"{k}.png" for k in range(3)]
    for k, file in enumerate(files):
        file.write_bytes(_file(_pixels(20, 20, k)))
    browser.choose(*files)
    browser.wait(lambda: browser.js("document.querySelectorAll('#earlier button').length") == 3)
    browser.js("document.querySelectorAll('#earlier button')[2].click()")
    assert browser.text("#answer").startswith(browser.classify(files[0].read_bytes())[0]["label"])


def test_a_picture_beyond_the_bound_is_unknown(opened: Any, tmp_path: Path) -> None:
    """The network's `unknown` is 1 minus its largest probability, so -1 refuses all."""
    reject = json.dumps({"rule": "coverage=0.95", "threshold": -1})
    sets = json.dumps({"coverage": 0.9, "threshold": 0.0})
    browser = opened(reject=reject, sets=sets)
    file = tmp_path / "picture.png"
    file.write_bytes(_file(_pixels(30, 50)))
    browser.choose(file)
    browser.wait(lambda: bool(browser.text("#answer")))
    assert browser.text("#answer") == "Unknown"
    assert "95 % of familiar pictures get an answer" in browser.text("#about")
    assert browser.text("#set").startswith("With a coverage of 90 %: ")
    assert all(label in browser.text("#set") for label in browser.js("window.hundredfold.labels"))


def test_nothing_can_be_fetched_by_a_script_either(opened: Any) -> None:
    browser = opened()
    tried = browser.js("fetch('https://example.org/').then(() => 'fetched', () => 'refused')")
    assert tried == "refused"
    policy = browser.js("document.querySelector('meta[http-equiv]').content")
    assert policy.startswith("default-src 'none'") and "connect-src" not in policy
    assert any("Content Security Policy" in text for text in browser.complaints)


def test_the_camera_answers_while_it_is_open(opened: Any) -> None:
    browser = opened()
    browser.js("document.querySelector('#camera').click()")
    browser.wait(lambda: bool(browser.text("#answer")))
    browser.js("document.querySelector('#keep').click()")
    browser.wait(lambda: bool(browser.text("#status")))
    assert browser.js("document.querySelector('#live').hidden") is True
    assert browser.fetched == []
