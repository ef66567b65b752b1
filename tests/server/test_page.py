"""The pages of a server, as a person sees them in a browser."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from chromium import Tab
from served import Server

Picture = Callable[..., bytes]

pytestmark = pytest.mark.skipif(not shutil.which("chromium"), reason="Chromium is not installed")


@pytest.fixture
def files(tmp_path: Path, picture: Picture) -> list[Path]:
    """Return an image, and a file that is none."""
    image, other = tmp_path / "leaf.png", tmp_path / "list.png"
    image.write_bytes(picture((20, 230, 20), (40, 30)))
    other.write_text("no image")
    return [image, other]


def test_dropped_images_are_classified_on_a_phone_as_on_a_desk(
    server: Server, files: list[Path], tmp_path: Path
) -> None:
    for width in (1100, 360):
        tab = Tab(server.url, tmp_path / str(width), width)
        try:
            tab.drop(*files)
            tab.until("document.querySelectorAll('.row').length === 3")
            tab.until("document.querySelectorAll('.error').length === 1")
            first = "document.querySelector('.row').innerText"
            assert tab.value(first).split()[0] == "green"
            assert "cannot" in tab.value("document.querySelector('.error').innerText")
            assert tab.value("document.documentElement.scrollWidth") <= width
            assert all(a.startswith((server.url, "blob:", "data:")) for a in tab.requests)
            answered = [one for one in tab.complaints if "400" not in str(one)]
            assert not answered  # the policy stops nothing that the page needs
        finally:
            tab.close()


def test_a_token_that_is_asked_for_is_sent_with_the_same_image(
    start: Callable[..., Server], files: list[Path], tmp_path: Path
) -> None:
    server = start("--token=s3cret")
    tab = Tab(server.url, tmp_path, 800)
    try:
        tab.drop(files[0])
        tab.until("!document.getElementById('key').hidden")
        tab.value("token.value = 's3cret'; document.querySelector('#key button').click()")
        tab.until("document.querySelectorAll('.row').length === 3")
        assert tab.value("document.querySelectorAll('.image').length") == 1
    finally:
        tab.close()


def test_the_description_of_every_path_is_shown(server: Server, tmp_path: Path) -> None:
    tab = Tab(f"{server.url}/docs", tmp_path, 360)
    try:
        tab.until("document.querySelectorAll('h2').length === 5")
        assert tab.value("document.documentElement.scrollWidth") <= 360
        assert server.url in tab.value("document.body.innerText")  # in an example to copy
        assert not tab.complaints
    finally:
        tab.close()
