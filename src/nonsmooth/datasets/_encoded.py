"""Images as files of PNG, JPEG and the like: what they are encoded as, and their pixels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from io import BytesIO

import numpy as np

from nonsmooth.errors import InputError

__all__ = ["decode", "encoding", "encoding_note", "size_of"]

_MAGIC = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG": "PNG",
    b"BM": "BMP",
    b"GIF8": "GIF",
    b"P5": "PGM",
    b"P6": "PPM",
}
_LOSSY = ("JPEG", "WebP")
_GREY = ("1", "L", "LA")
_COLOUR = ("RGB", "RGBA", "P", "CMYK", "YCbCr")


def encoding(data: bytes) -> str:
    """``JPEG``, ``PNG`` or another format by the first bytes, or "" for what is no image.

    >>> encoding(bytes([0xFF, 0xD8, 0xFF, 0xE0]))
    'JPEG'
    """
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    return next((name for magic, name in _MAGIC.items() if data.startswith(magic)), "")


def encoding_note(encodings: Counter[str], of: str) -> str:
    """What a reader must know about how images are encoded; "" where nothing is lost.

    Args:
        encodings: how many images are encoded how.
        of: what they are taken from, "the official archive" say.
    """
    notes = []
    for name in _LOSSY:
        if encodings[name]:
            share = (
                "" if encodings[name] == encodings.total() else f" ({encodings[name]} of {encodings.total()})"
            )
            notes.append(f"a {name} re-encoding{share}; pixel values differ slightly from {of}")
    return "; ".join(notes)


def size_of(data: bytes, name: str) -> tuple[int, int]:
    """Height and width of an image, without decoding its pixels.

    Raises:
        InputError: it is no image.
    """
    image = _open(data, name)
    return (image.height, image.width)


def decode(images: Sequence[tuple[str, bytes]], *, remedy: str) -> np.ndarray:
    """Pixels (N, C, H, W), uint8. C is 1 if all images are grey, else 3; transparency is dropped.

    Args:
        images: name and content of each, at least one.
        remedy: what to do about a bad one.

    Raises:
        InputError: an image cannot be decoded, or has another size than the first.
    """
    channels, size = 1, (0, 0)
    pixels = np.empty((0, 3, 0, 0), dtype=np.uint8)
    for at, (name, data) in enumerate(images):
        image = _open(data, name, remedy)
        if at == 0:
            size = (image.height, image.width)
            pixels = _room(len(images), size, name)
        elif size != (image.height, image.width):
            raise InputError(
                f"{name}: {image.height} x {image.width} pixels, the images before it {size[0]} x {size[1]}; "
                "all must have one size"
            )
        if image.mode not in _GREY + _COLOUR:
            raise InputError(f"{name}: its pixels are of type {image.mode!r}; give 8-bit grey or RGB images")
        mode = "L" if image.mode in _GREY else "RGB"
        try:
            read = np.asarray(image if image.mode == mode else image.convert(mode))
        except Exception as error:  # Pillow's decoders too
            raise _undecodable(name, error, remedy) from None
        # A grey image among coloured ones has three equal channels.
        pixels[at] = read if mode == "L" else read.transpose(2, 0, 1)
        channels = max(channels, len(mode))
    return pixels if channels == 3 else pixels[:, :1].copy()


def _room(count: int, size: tuple[int, int], name: str) -> np.ndarray:
    try:
        return np.empty((count, 3, *size), dtype=np.uint8)
    except (MemoryError, ValueError):
        raise InputError(
            f"{name}: {count} images of {size[0]} x {size[1]} pixels do not fit in memory; give smaller ones"
        ) from None


def _open(data: bytes, name: str, remedy: str = "get it again"):
    from PIL import Image

    try:
        return Image.open(BytesIO(data))
    except Exception as error:  # Pillow's plug-ins fail in many ways on damaged headers
        raise _undecodable(name, error, remedy) from None


def _undecodable(name: str, error: Exception, remedy: str) -> InputError:
    why = "no known image format" if type(error).__name__ == "UnidentifiedImageError" else str(error)
    return InputError(f"{name}: cannot be decoded ({why or type(error).__name__}); {remedy}")
