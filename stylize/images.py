"""Bytes to pixels and back: decoding of whatever cameras and tools write, encoding, and the model's frame."""

from __future__ import annotations

import io
import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.PpmImagePlugin import PpmImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from stylize.errors import BadInput
from stylize.png import write_png

Pixels = NDArray[np.uint8]
Format = Literal["png", "jpeg"]

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".ppm", ".pgm", ".tif", ".tiff"})
MAX_PIXELS = 400_000_000  # 1.2 GB as RGB; a small file that claims more is a decompression bomb or a mistake
LONGEST_JPEG_SIDE = 65_500
ORIENTATION = 0x0112
TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class _Jpeg(JpegImageFile):
    def _read_dpi_from_exif(self) -> None:
        """Leave the resolution alone: it is not needed, and reading it warns about broken EXIF data."""


READERS: tuple[tuple[bytes, type[ImageFile]], ...] = (
    (b"\x89PNG\r\n\x1a\n", PngImageFile),
    (b"\xff\xd8\xff", _Jpeg),
    (b"RIFF", WebPImageFile),
    (b"BM", BmpImageFile),
    (b"II*\0", TiffImageFile),
    (b"MM\0*", TiffImageFile),
    (b"P5", PpmImageFile),
    (b"P6", PpmImageFile),
)
# Python's warning filters belong to the whole process, so only one thread may change them at a time.
_filters = threading.Lock()


def decode_rgb(data: bytes) -> Pixels:
    """Decode a picture for viewing: [H, W, 3] uint8, upright, writable.

    PNG, JPEG, WebP, BMP, PPM and TIFF. The EXIF orientation is applied. Grey, palette and 1-bit pictures become RGB; of
    16-bit samples the high byte counts (0..65535 becomes 0..255); CMYK and YCCK become RGB without a colour profile.
    Transparent pixels are laid over black, as the empty corners of rectified camera frames are. Raises `BadInput` for
    empty, truncated, damaged or foreign data and for more than 400 million pixels.
    """
    with _opened(data) as image:
        orientation = _orientation(image)
        rgb = _over_black(image) if image.has_transparency_data else _opaque(image)
        if orientation in TRANSPOSE:
            rgb = rgb.transpose(TRANSPOSE[orientation])
        return np.array(rgb)


def decode_label(data: bytes) -> NDArray[Any]:
    """Decode a label as it is stored, ids untouched: [H, W], or [H, W, 3] for a colour-coded one.

    Palette images give their indices, 1-bit images 0 and 1, 2-bit and 4-bit grey its raw values, 16-bit grey uint16.
    The alpha channel is dropped. No rotation is applied. Raises `BadInput` as `decode_rgb` does.
    """
    with _opened(data) as image:
        depth, colour_type = _png_header(data) if isinstance(image, PngImageFile) else (8, 0)
        if depth == 16 and colour_type in (2, 6):
            raise BadInput("16-bit colour labels cannot be read without loss: store ids as 16-bit grey")
        if image.mode in ("RGBA", "CMYK", "YCbCr"):
            return np.array(image.convert("RGB"))
        if image.mode in ("LA", "PA"):
            return np.array(image)[..., 0]
        if image.mode == "1":
            return np.array(image).astype(np.uint8)
        ids = np.array(image)
        # Pillow stretches grey of 2 and 4 bits to 0..255, which would turn id 1 into 85 or 17.
        return ids // {2: 85, 4: 17}[depth] if colour_type == 0 and depth in (2, 4) else ids


def probe(data: bytes) -> tuple[int, int]:
    """Return (width, height) as `decode_rgb` would give them, from the header alone; raises `BadInput`."""
    with _opened(data) as image:
        width, height = image.size
        return (height, width) if _orientation(image) >= 5 else (width, height)


def describe(data: bytes) -> str:
    """Return format and pixel type, such as "PNG RGB", "PNG RGB 16-bit" or "JPEG CMYK"; raises `BadInput`."""
    with _opened(data) as image:
        deep = isinstance(image, PngImageFile) and _png_header(data)[0] == 16
        return f"{image.format} {image.mode.partition(';')[0]}{' 16-bit' if deep else ''}"


def encode(rgb_HWC: Pixels, format: Format, *, quality: int = 95, compress_level: int = 1) -> bytes:
    """Encode [H, W, 3] uint8 as PNG (exact) or JPEG (full colour resolution, so that colours keep to their objects).

    The same pixels and settings give the same bytes. PNG level 1 is the fast writer of `stylize.png`; 2 to 9 try harder
    and take two to eight times as long for some 10 % less. Raises `BadInput` where the format cannot hold the picture.
    """
    if format not in ("png", "jpeg"):
        raise ValueError(f"format is 'png' or 'jpeg', not {format!r}")
    if format == "png" and compress_level == 1:
        return write_png(rgb_HWC)
    buffer = io.BytesIO()
    picture = Image.fromarray(rgb_HWC)
    if format == "png":
        picture.save(buffer, "PNG", compress_level=compress_level)
    elif max(picture.size) > LONGEST_JPEG_SIDE:
        raise BadInput(f"{picture.width}x{picture.height} is too large for JPEG: write PNG")
    else:
        picture.save(buffer, "JPEG", quality=quality, subsampling=0)
    return buffer.getvalue()


def to_model(rgb_HWC: Pixels, height: int, width: int) -> NDArray[np.float32]:
    """Bring [H, W, 3] uint8 into the model's frame: float32 [3, height, width] in [-1, 1].

    The whole picture is squashed (antialiased, bilinear); the aspect ratio is not kept, because every content pixel
    needs a place in the noise maps. Content and exemplars are treated alike.
    """
    if rgb_HWC.shape[:2] != (height, width):
        picture = Image.fromarray(rgb_HWC).resize((width, height), Image.Resampling.BILINEAR)
        rgb_HWC = np.asarray(picture)
    chw = np.ascontiguousarray(rgb_HWC.transpose(2, 0, 1), dtype=np.float32)
    chw *= np.float32(1 / 127.5)
    chw -= np.float32(1)
    return chw


def from_model(image_CHW: NDArray[np.floating[Any]]) -> Pixels:
    """Turn floats [3, h, w] in [-1, 1] into [h, w, 3] uint8: rounded to nearest, clipped; the inverse of `to_model`."""
    scaled = np.rint((np.asarray(image_CHW, dtype=np.float32) + np.float32(1)) * np.float32(127.5))
    return np.ascontiguousarray(np.clip(scaled, 0, 255).astype(np.uint8).transpose(1, 2, 0))


@contextmanager
def _opened(data: bytes) -> Iterator[ImageFile]:
    """Open a picture; whatever Pillow raises on it, then or in the body, is the picture's fault."""
    try:
        # A broken APNG header and many TIFF tags make Pillow warn; the caller gets pixels or `BadInput`, no warning.
        talkative = data[:4] in (b"II*\0", b"MM\0*") or b"acTL" in data[:4096]
        with _silence() if talkative else nullcontext(), _reader(data)(io.BytesIO(data)) as image:
            _check_size(image)
            yield image
    except (BadInput, MemoryError):
        raise
    except Exception as error:
        raise BadInput(f"cannot decode the picture ({type(error).__name__}: {' '.join(str(error).split())})") from error


def _reader(data: bytes) -> type[ImageFile]:
    if not data:
        raise BadInput("the file is empty (0 bytes)")
    for magic, reader in READERS:
        if data.startswith(magic) and (reader is not WebPImageFile or data[8:12] == b"WEBP"):
            return reader
    raise BadInput(f"not a PNG, JPEG, WebP, BMP, PPM or TIFF picture (begins with {data[:8]!r})")


def _check_size(image: ImageFile) -> None:
    # The plugins are called directly, not through Image.open: its limit is a global of the process and lies below ours.
    width, height = image.size
    if width * height > MAX_PIXELS:
        limit = f"{MAX_PIXELS // 1_000_000} million pixels"
        raise BadInput(f"{width}x{height} is more than {limit}: cut it into smaller pictures")


@contextmanager
def _silence() -> Iterator[None]:
    with _filters, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _opaque(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    if image.mode.startswith("I"):
        return _from_16_bit(np.asarray(image))
    if image.mode == "F":
        raise BadInput("floating-point pixels have no known range: convert the picture to 8 or 16 bits")
    return image.convert("RGB")


def _from_16_bit(grey_HW: NDArray[Any]) -> Image.Image:
    if grey_HW.size and (grey_HW.min() < 0 or grey_HW.max() > 0xFFFF):
        raise BadInput("32-bit pixels beyond 65535 have no known range: convert the picture to 8 or 16 bits")
    return Image.fromarray((grey_HW >> 8).astype(np.uint8)).convert("RGB")


def _over_black(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        return _opaque(image)  # one transparent grey value of a 16-bit picture: no decoder at hand honours it
    rgba = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", rgba.size, (0, 0, 0, 255)), rgba).convert("RGB")


def _png_header(data: bytes) -> tuple[int, int]:
    return data[24], data[25]


def _orientation(image: ImageFile) -> int:
    """Return the EXIF orientation 1..8; 1 when there is none or it is broken (Pillow's own reader would warn)."""
    if isinstance(image, TiffImageFile):
        return 1  # the TIFF plugin has turned it already
    exif = image.info.get("exif", b"")
    tiff = exif[6:] if exif.startswith(b"Exif\0\0") else exif
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    try:
        return _find_orientation(tiff, order) if order else 1
    except struct.error:
        return 1


def _find_orientation(tiff: bytes, order: str) -> int:
    (start,) = struct.unpack_from(order + "I", tiff, 4)
    (count,) = struct.unpack_from(order + "H", tiff, start)
    for entry in range(count):
        tag, _, _, value = struct.unpack_from(order + "HHIH", tiff, start + 2 + 12 * entry)
        if tag == ORIENTATION:
            return value if value in TRANSPOSE else 1
    return 1
