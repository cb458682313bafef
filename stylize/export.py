"""How outputs are named and encoded, and how labels are made to fit a picture of another size."""

from __future__ import annotations

import io

from PIL import Image

from stylize.datasets.tree import copy_path, is_image, without_suffix
from stylize.errors import BadInput
from stylize.images import Format, Pixels, decode_label, encode

JPEG_SUFFIXES = (".jpg", ".jpeg")
JPEG_QUALITY = 95
PNG_LEVEL = 1  # zlib: twice as fast as level 6 for a few percent more bytes


def output_path(path: str, key: str, k: int) -> str:
    """Return where copy `k` of a file goes: copy 0 keeps the name, the others are numbered after their key."""
    return copy_path(path, key, k) if k else path


def picture_path(image: str, key: str, k: int) -> str:
    """Return where the picture of copy `k` goes: PNG and JPEG keep their ending, all other kinds become `.png`."""
    path = output_path(image, key, k)
    if path.lower().endswith((".png", *JPEG_SUFFIXES)):
        return path
    return without_suffix(path) + ".png"


def picture_format(path: str) -> Format:
    """Return the format that a picture's ending asks for."""
    return "jpeg" if path.lower().endswith(JPEG_SUFFIXES) else "png"


def encode_picture(rgb_HWC: Pixels, path: str) -> bytes:
    """Encode a picture in the format of its name; equal pixels give equal bytes."""
    return encode(rgb_HWC, picture_format(path), quality=JPEG_QUALITY, compress_level=PNG_LEVEL)


def label_path(label: str, key: str, k: int, *, resized: bool) -> str | None:
    """Return where a label of copy `k` goes, None for a label that cannot follow a picture to another size.

    A resized label is written as PNG; polygons and other texts hold coordinates of the source and stay behind.
    """
    if not resized:
        return output_path(label, key, k)
    return without_suffix(output_path(label, key, k)) + ".png" if is_image(label) else None


def resize_label(data: bytes, height: int, width: int) -> bytes:
    """Bring a label picture to another size by nearest neighbour, ids untouched; PNG of the same depth.

    Palette labels keep their ids and lose their colours. Raises `BadInput` for a label that cannot be decoded.
    """
    ids = decode_label(data)
    if ids.dtype.kind not in "ub" and (ids.min() < 0 or ids.max() > 0xFFFF):
        raise BadInput("the label holds ids beyond 0..65535, which no PNG can store")
    ids = ids if ids.dtype.itemsize == 1 else ids.astype("uint16")
    buffer = io.BytesIO()
    Image.fromarray(ids).resize((width, height), Image.Resampling.NEAREST).save(buffer, "PNG")
    return buffer.getvalue()
