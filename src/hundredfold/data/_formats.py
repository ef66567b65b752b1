"""The image formats that are read, and the endings of their files.

AVIF is read where Pillow was built with it, HEIC where the extra `heic` is installed.
"""

import ctypes
from contextlib import suppress
from functools import cache
from importlib.util import find_spec

from PIL import _imaging, features

from hundredfold.errors import pip_install

_HEIC = frozenset((".heic", ".heif", ".hif"))
_AVIF = frozenset((".avif",))
_HAS_HEIC = find_spec("pillow_heif") is not None
_HAS_AVIF = bool(features.check("avif"))

SUFFIXES = (
    frozenset((".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"))
    | (_AVIF if _HAS_AVIF else frozenset())
    | (_HEIC if _HAS_HEIC else frozenset())
)
FORMATS = (
    "JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF",
    *(["AVIF"] if _HAS_AVIF else []), *(["HEIF"] if _HAS_HEIC else []),
)  # fmt: skip

# Images all the same, though of formats that are not read.
OTHERS = frozenset(
    (
        ".arw", ".cr2", ".cr3", ".dcm", ".dib", ".dng", ".eps", ".heics", ".ico", ".j2k", ".jp2",
        ".jpx", ".jxl", ".nef", ".orf", ".pbm", ".pcx", ".pgm", ".pnm", ".ppm", ".psd", ".raf",
        ".rw2", ".svg", ".tga", ".xcf",
    )
)  # fmt: skip


def remedy(suffix: str) -> str:
    """Return what makes the images of an ending readable; "" for an ending of no image."""
    if suffix in SUFFIXES:
        return ""
    if suffix in _HEIC:
        return f"to read them: {pip_install('pillow-heif')}"
    if suffix in _AVIF:
        return f"to read them: {pip_install('--upgrade', 'pillow')}"
    return "to use them, save them as PNG or JPEG" if suffix in OTHERS else ""


@cache
def register() -> None:
    """Teach Pillow the formats of extras, and keep libtiff off the terminal, once a process.

    Its messages name no file; Pillow raises an error with the same reason.
    """
    if _HAS_HEIC:
        import pillow_heif

        pillow_heif.register_heif_opener()
    with suppress(OSError, AttributeError):  # a Pillow without libtiff, or another system
        library = ctypes.CDLL(str(_imaging.__file__))
        for name in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
            silence = getattr(library, name)
            silence.restype, silence.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
            silence(None)
