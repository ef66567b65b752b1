"""Batches by tf.data: every image once, the same ones after a restart, moved as PyTorch moves."""

import numpy as np
import pytest
import torch

from hundredfold import augment as ours
from hundredfold import spec
from hundredfold.errors import UsageError

tf = pytest.importorskip("tensorflow", reason="the extra 'tensorflow' is not installed")

from hundredfold.engines.tensorflow import augment  # noqa: E402
from hundredfold.engines.tensorflow._moves import Move, move_images  # noqa: E402
from hundredfold.engines.tensorflow.feed import Feed  # noqa: E402

CHAIN = ("flip", "shift", "zoom", "rotate")


def _moves(*texts: str) -> list[Move]:
    package = "hundredfold.engines.tensorflow.augment"
    return [spec.resolve(text, package)() for text in texts]


def _smooth(count: int, size: int = 24) -> np.ndarray:
    """Return images without edges, so that ways of blending differ little."""
    across, down = np.meshgrid(np.linspace(0, 3, size), np.linspace(0, 2, size))
    waves = np.stack([np.sin(across), np.cos(down), np.sin(across + down)], -1)
    return np.repeat((waves * 100 + 128).astype(np.uint8)[None], count, 0)


def _feed(images: np.ndarray, *texts: str, seed: int = 0, batch: int = 8) -> Feed:
    labels = np.arange(len(images))
    return Feed(
        images, labels, np.arange(len(labels)), batch_size=batch, seed=seed, augment=_moves(*texts)
    )


def test_an_epoch_holds_every_image_once_in_an_order_of_its_own() -> None:
    feed = _feed(_smooth(24))
    orders = [np.concatenate([labels for _, labels in feed.epoch(k)]) for k in (0, 1, 0)]
    assert sorted(orders[0]) == list(range(24))
    assert list(orders[0]) == list(orders[2]) != list(orders[1])
    assert list(orders[0]) != sorted(orders[0])


def test_a_restart_in_the_middle_sees_what_it_would_have_seen() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 18, 18, 3), dtype=np.uint8)
    feed = _feed(pixels, *CHAIN)
    whole = list(feed.epoch(3))
    rest = list(_feed(pixels, *CHAIN).epoch(3, 2))
    assert len(whole) == feed.steps == 5
    for (images, labels), (again, same) in zip(whole[2:], rest, strict=True):
        assert images.dtype == tf.uint8
        np.testing.assert_array_equal(images, again)
        np.testing.assert_array_equal(labels, same)
    other = next(iter(_feed(pixels, *CHAIN, seed=1).epoch(3, 2)))
    assert not np.array_equal(other[0], rest[0][0])


def test_without_augmentation_images_are_as_they_are() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (16, 8, 8, 3), dtype=np.uint8)
    for images, labels in _feed(pixels).epoch(0):
        np.testing.assert_array_equal(images, pixels[labels])


def test_flip_mirrors_about_half_and_nothing_else() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (400, 4, 4, 3), dtype=np.uint8)
    images, labels = next(iter(_feed(pixels, "flip", batch=400).epoch(0)))
    given, mirrored = pixels[labels], pixels[labels][:, :, ::-1]
    turned = (images.numpy() == mirrored).all((1, 2, 3))
    assert 150 < turned.sum() < 250
    assert (turned | (images.numpy() == given).all((1, 2, 3))).all()


@pytest.mark.parametrize("text", ["zoom(low=1.5, high=1.5)", "zoom(low=0.7, high=0.7)"])
def test_zoom_is_the_same_factor_as_pytorchs(text: str) -> None:
    pixels = _smooth(8)
    images, _ = next(iter(_feed(pixels, text).epoch(0)))
    moved, _ = ours.pipeline(text)(
        torch.from_numpy(pixels).permute(0, 3, 1, 2), torch.eye(8), torch.Generator()
    )
    expected = moved.permute(0, 2, 3, 1).numpy().astype(float)
    inner = (slice(None), slice(5, -5), slice(5, -5))
    assert np.abs(expected - pixels)[inner].mean() > 4, "the zoom is visible"
    assert np.abs(expected - images.numpy().astype(float))[inner].mean() < 1


def test_shift_and_rotation_stay_within_their_ranges() -> None:
    ramp = np.tile(np.arange(24, dtype=np.uint8)[None, None, :, None] * 10, (64, 24, 1, 3))
    images, _ = next(iter(_feed(ramp, "shift(horizontal=0.25, vertical=0.0)", batch=64).epoch(0)))
    moved = (images.numpy()[:, 12, 12, 0].astype(float) - 120) / 10
    assert np.abs(moved).max() <= 6.1
    assert moved.min() < -3 < 3 < moved.max()
    (move,) = _moves("rotate(degrees=30)")
    drawn = move.layer.get_random_transformation(tf.zeros((200, 8, 8, 3)))["angle"].numpy()
    assert 25 < np.abs(drawn).max() <= 30


@pytest.mark.parametrize("text", ["flip", "shift(horizontal=0.3)", "zoom(low=0.5)", "rotate"])
@pytest.mark.parametrize("size", [(20, 20), (14, 26)])
def test_a_move_does_to_images_what_its_layer_does(text: str, size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (16, *size, 3), dtype=np.uint8)
    (move,) = _moves(text)
    state = tf.constant([3, 5])
    moved = move_images(tf.constant(pixels), [(move.draw(pixels, state), move.fill)])
    move.layer.generator.state.assign(state)
    expected = move.layer(pixels.astype(np.float32), training=True).numpy()
    assert np.abs(expected - pixels).mean() > 20, "the move is visible"
    assert np.abs(expected - moved.numpy().astype(float)).max() <= 0.51


def test_moves_are_done_in_their_order() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (16, 20, 20, 3), dtype=np.uint8)
    moves, state = _moves("flip", "rotate(degrees=40)"), tf.constant([3, 5])
    moved = move_images(tf.constant(pixels), [(m.draw(pixels, state), m.fill) for m in moves])
    expected = pixels.astype(np.float32)  # a flip blends nothing, so the layers blend once as well
    for move in moves:
        move.layer.generator.state.assign(state)
        expected = move.layer(expected, training=True).numpy()
    assert np.abs(expected - moved.numpy().astype(float)).max() <= 0.51


def test_a_chain_blends_once_where_its_moves_fill_alike() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 20, 20, 3), dtype=np.uint8)
    there, back = "zoom(low=2, high=2)", "zoom(low=0.5, high=0.5)"
    images, labels = next(iter(_feed(pixels, there, back).epoch(0)))
    np.testing.assert_array_equal(images, pixels[labels])
    black = "zoom(low=0.5, high=0.5, fill='zero')"
    images, labels = next(iter(_feed(pixels, there, black).epoch(0)))
    assert (images.numpy()[:, 0] == 0).all(), "what lies outside is the second move's"
    assert (images.numpy()[:, 10, 10] != 0).any()


def test_what_keras_cannot_do_and_too_few_images_are_refused() -> None:
    with pytest.raises(UsageError, match="half of the images"):
        augment.flip(probability=0.3)
    with pytest.raises(UsageError, match="larger than the 4 training images"):
        _feed(_smooth(4))
