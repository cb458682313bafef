"""Decoding of everything cameras and tools write, and of what they should not have written."""

from __future__ import annotations

import io
import struct
import zlib
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from PIL import Image

from stylize import images
from stylize.errors import BadInput
from stylize.images import decode_label, decode_rgb, encode, from_model, probe, to_model

WIDE, HIGH = 12, 8


@pytest.fixture
def picture() -> Image.Image:
    """A smooth picture without symmetry, so that no rotation or swap of channels goes unnoticed."""
    y, x = np.mgrid[0:HIGH, 0:WIDE]
    return Image.fromarray(np.stack([20 * x, 30 * y, 10 * x + 10 * y], -1).astype(np.uint8))


def saved(picture: Image.Image, format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format, **options)
    return buffer.getvalue()


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(rows: np.ndarray, depth: int, colour_type: int, *extra: bytes) -> bytes:
    """Write a PNG by hand: `rows` are the packed bytes of each line."""
    per_line = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour_type] * depth
    header = struct.pack(">IIBBBBB", rows.shape[1] * 8 // per_line, len(rows), depth, colour_type, 0, 0, 0)
    data = b"".join(b"\0" + row.tobytes() for row in rows)
    body = [chunk(b"IHDR", header), *extra, chunk(b"IDAT", zlib.compress(data)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


def oriented(orientation: int, order: str = "<") -> bytes:
    """EXIF data with an orientation alone."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    entry = struct.pack(order + "HHIHH", 0x0112, 3, 1, orientation, 0)
    return b"Exif\0\0" + mark + struct.pack(order + "IH", 8, 1) + entry + struct.pack(order + "I", 0)


@pytest.mark.parametrize("format", ["PNG", "BMP", "PPM", "TIFF"])
def test_exact_formats_give_their_pixels(picture: Image.Image, format: str) -> None:
    data = saved(picture, format)
    decoded = decode_rgb(data)
    assert np.array_equal(decoded, np.array(picture))
    assert decoded.dtype == np.uint8
    assert decoded.flags.writeable
    assert probe(data) == (WIDE, HIGH)


@pytest.mark.parametrize(
    ("format", "options"), [("JPEG", {"quality": 95, "subsampling": 0}), ("WEBP", {"quality": 95})]
)
def test_lossy_formats_come_close(picture: Image.Image, format: str, options: dict[str, Any]) -> None:
    decoded = decode_rgb(saved(picture, format, **options)).astype(int)
    assert np.abs(decoded - np.array(picture)).mean() < 6


def test_lossless_webp_is_exact(picture: Image.Image) -> None:
    assert np.array_equal(decode_rgb(saved(picture, "WEBP", lossless=True)), np.array(picture))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied(picture: Image.Image, orientation: int, order: str) -> None:
    upright = np.array(picture)
    turned = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1], 5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, -1), 7: np.rot90(upright, 2).transpose(1, 0, 2), 8: np.rot90(upright),
    }[orientation]  # fmt: skip
    data = saved(picture, "PNG", exif=oriented(orientation, order))
    assert np.array_equal(decode_rgb(data), turned)
    assert probe(data) == (turned.shape[1], turned.shape[0])


def test_exif_rotation_is_applied_to_jpeg_webp_and_tiff(picture: Image.Image) -> None:
    for data in (
        saved(picture, "JPEG", exif=oriented(6)),
        saved(picture, "WEBP", exif=oriented(6)),
        saved(picture, "TIFF", tiffinfo={0x0112: 6}),
    ):
        assert decode_rgb(data).shape == (WIDE, HIGH, 3)
        assert probe(data) == (HIGH, WIDE)


@pytest.mark.parametrize(
    "exif",
    [b"", b"Exif\0\0", b"Exif\0\0II*\0", b"Exif\0\0MM\0*\xff\xff\xff\xff", oriented(0), oriented(99), oriented(6)[:-9]],
    ids=["none", "bare", "no-table", "far-offset", "zero", "unknown", "cut"],
)
def test_broken_exif_is_no_rotation_and_no_warning(picture: Image.Image, exif: bytes) -> None:
    for format in ("PNG", "JPEG"):
        data = saved(picture, format, **({"exif": exif} if exif else {}))
        assert decode_rgb(data).shape == (HIGH, WIDE, 3)


def test_broken_exif_inside_a_jpeg_does_not_warn(picture: Image.Image) -> None:
    far = struct.pack("<HHII", 0x011A, 5, 1, 0x7FFFFFFF)  # a resolution that lies outside the data
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 1) + far + struct.pack("<I", 0)
    data = saved(picture, "JPEG", exif=exif)
    jfif = data.index(b"\xff\xe0")
    length = struct.unpack(">H", data[jfif + 2 : jfif + 4])[0]
    assert decode_rgb(data[:jfif] + data[jfif + 2 + length :]).shape == (HIGH, WIDE, 3)


def test_grey_becomes_rgb(picture: Image.Image) -> None:
    grey = picture.convert("L")
    assert np.array_equal(decode_rgb(saved(grey, "PNG")), np.repeat(np.array(grey)[..., None], 3, -1))


def test_one_bit_becomes_black_and_white(picture: Image.Image) -> None:
    bits = picture.convert("1")
    assert np.array_equal(decode_rgb(saved(bits, "PNG"))[..., 1], np.array(bits) * 255)


def test_palette_gives_its_colours() -> None:
    indexed = Image.fromarray(np.array([[0, 1], [2, 1]], np.uint8), "P")
    indexed.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    assert decode_rgb(saved(indexed, "PNG")).tolist() == [
        [[10, 20, 30], [40, 50, 60]],
        [[70, 80, 90], [40, 50, 60]],
    ]


def test_palette_transparency_lies_over_black_without_a_warning() -> None:
    indexed = Image.fromarray(np.array([[0, 1]], np.uint8), "P")
    indexed.putpalette([200, 100, 50, 40, 50, 60])
    assert decode_rgb(saved(indexed, "PNG", transparency=b"\x00\xff")).tolist() == [[[0, 0, 0], [40, 50, 60]]]


def test_alpha_lies_over_black() -> None:
    rgba = np.array([[[200, 100, 50, 255], [200, 100, 50, 0], [200, 100, 50, 128]]], np.uint8)
    decoded = decode_rgb(saved(Image.fromarray(rgba), "PNG"))
    assert decoded[0, 0].tolist() == [200, 100, 50]
    assert decoded[0, 1].tolist() == [0, 0, 0]
    assert np.abs(decoded[0, 2] - np.array([100.4, 50.2, 25.1])).max() <= 1
    grey_alpha = np.array([[[90, 255], [90, 0]]], np.uint8)
    assert decode_rgb(saved(Image.fromarray(grey_alpha, "LA"), "PNG"))[0, :, 0].tolist() == [90, 0]


def test_a_transparent_colour_lies_over_black() -> None:
    data = saved(Image.new("RGB", (2, 1), (9, 8, 7)), "PNG", transparency=(9, 8, 7))
    assert decode_rgb(data).max() == 0


def test_16_bit_grey_is_scaled() -> None:
    values = np.array([[0, 255, 256, 0x8000, 0xFFFF]], ">u2")
    data = png(values.view(np.uint8), 16, 0)
    assert decode_rgb(data)[0, :, 2].tolist() == [0, 0, 1, 128, 255]
    assert decode_label(data).tolist() == values.tolist()


def test_16_bit_colour_is_scaled() -> None:
    values = np.array([[0, 0x80FF, 0xFFFF, 0x0100, 0x00FF, 0x1234]], ">u2")
    data = png(values.view(np.uint8), 16, 2)
    assert decode_rgb(data).tolist() == [[[0, 0x80, 0xFF], [1, 0, 0x12]]]


def test_16_bit_tiff_in_either_byte_order() -> None:
    values = np.array([[0, 0x1234, 0xFFFF]], np.uint16)
    assert decode_rgb(saved(Image.fromarray(values), "TIFF"))[0, :, 0].tolist() == [0, 0x12, 0xFF]


def test_pixels_of_unknown_range_are_bad_input() -> None:
    with pytest.raises(BadInput, match="floating-point"):
        decode_rgb(saved(Image.fromarray(np.ones((2, 2), np.float32)), "TIFF"))
    with pytest.raises(BadInput, match="32-bit"):
        decode_rgb(saved(Image.fromarray(np.full((2, 2), 70_000, np.int32)), "TIFF"))


def test_cmyk_jpeg() -> None:
    ink = Image.new("CMYK", (16, 16), (200, 40, 40, 10))
    decoded = decode_rgb(saved(ink, "JPEG", quality=95))
    assert np.abs(decoded.astype(int) - np.array(ink.convert("RGB"))).max() <= 3


def test_ycck_jpeg() -> None:
    luma = np.array(Image.new("RGB", (1, 1), (200, 40, 40)).convert("YCbCr"))[0, 0]
    stored = Image.new("CMYK", (16, 16), (*(255 - int(v) for v in luma), 10))
    data = saved(stored, "JPEG", quality=95)
    adobe = data.index(b"Adobe")
    ycck = data[: adobe + 11] + b"\x02" + data[adobe + 12 :]
    expected = np.array(Image.new("CMYK", (16, 16), (200, 40, 40, 10)).convert("RGB"))
    assert np.abs(decode_rgb(ycck).astype(int) - expected).max() <= 4


def test_one_pixel_and_very_wide_pictures() -> None:
    assert decode_rgb(encode(np.full((1, 1, 3), 7, np.uint8), "png")).tolist() == [[[7, 7, 7]]]
    wide = np.zeros((2, 20_000, 3), np.uint8)
    wide[:, -1] = 255
    assert np.array_equal(decode_rgb(encode(wide, "png")), wide)
    assert np.array_equal(decode_rgb(encode(wide, "jpeg"))[:, -1], wide[:, -1])


def test_a_picture_beyond_pillows_own_limit_opens_without_a_warning() -> None:
    assert probe(saved(Image.new("1", (20_000, 5_000)), "PNG")) == (20_000, 5_000)


def test_a_decompression_bomb_is_bad_input() -> None:
    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    for read in (decode_rgb, decode_label, probe):
        with pytest.raises(BadInput, match=r"30000x30000 is more than 400 million pixels"):
            read(data)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"hello, world", "not a PNG"),
        (b"GIF89a" + bytes(20), "not a PNG"),
        (b"RIFF\0\0\0\0WAVEfmt ", "not a PNG"),
        (b"\x89PNG\r\n\x1a\n", "cannot decode"),
        (b"\xff\xd8\xff\xe0", "cannot decode"),
        (b"<html>404</html>", "<html>"),
    ],
)
def test_what_is_no_picture_is_bad_input(data: bytes, reason: str) -> None:
    for read in (decode_rgb, decode_label, probe):
        with pytest.raises(BadInput, match=reason):
            read(data)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "BMP", "PPM", "TIFF"])
def test_truncation_anywhere_is_bad_input_or_harmless(format: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    data = saved(Image.fromarray(noise), format)
    refused = 0
    for length in range(0, len(data) - 2, max(1, len(data) // 60)):
        try:
            decode_rgb(data[:length])
        except BadInput:
            refused += 1
    with pytest.raises(BadInput, match="cannot decode"):
        decode_rgb(data[: len(data) // 2])
    assert refused >= 58


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_damage_anywhere_is_pixels_or_bad_input(picture: Image.Image, format: str) -> None:
    data = saved(picture, format, exif=oriented(6))
    generator = np.random.default_rng(1)
    for _ in range(300):
        broken = bytearray(data)
        for place in generator.integers(4, len(data), 3):
            broken[place] = generator.integers(256)
        with suppress(BadInput):
            assert decode_rgb(bytes(broken)).dtype == np.uint8


def test_a_broken_animation_header_does_not_warn(picture: Image.Image) -> None:
    data = saved(picture, "PNG")
    after_header = 8 + 25
    animated = data[:after_header] + chunk(b"acTL", struct.pack(">II", 0, 0)) + data[after_header:]
    assert np.array_equal(decode_rgb(animated), np.array(picture))


def test_labels_keep_their_ids() -> None:
    ids = np.array([[0, 1, 33], [7, 254, 255]], np.uint8)
    grey = Image.fromarray(ids)
    indexed = Image.fromarray(ids, "P")
    indexed.putpalette([v for i in range(256) for v in (255 - i, i, 3)])
    for image in (grey, indexed):
        assert np.array_equal(decode_label(saved(image, "PNG")), ids)
    colour = np.stack([ids, ids, ids], -1)
    opaque = np.concatenate([colour, np.zeros_like(ids)[..., None]], -1)
    assert np.array_equal(decode_label(saved(Image.fromarray(colour), "PNG")), colour)
    assert np.array_equal(decode_label(saved(Image.fromarray(opaque), "PNG")), colour)
    assert np.array_equal(decode_label(saved(Image.fromarray(np.stack([ids, 255 - ids], -1), "LA"), "PNG")), ids)


@pytest.mark.parametrize(
    ("depth", "packed", "ids"), [(1, 0b10110000, [1, 0, 1, 1]), (2, 0b00011011, [0, 1, 2, 3]), (4, 0x2F, [2, 15])]
)
@pytest.mark.parametrize("colour_type", [0, 3])
def test_labels_of_few_bits_are_not_stretched(depth: int, packed: int, ids: list[int], colour_type: int) -> None:
    palette = [chunk(b"PLTE", bytes(range(48)))] if colour_type == 3 else []
    decoded = decode_label(png(np.array([[packed]], np.uint8), depth, colour_type, *palette))
    assert decoded.tolist()[0][: len(ids)] == ids


def test_16_bit_colour_labels_are_refused() -> None:
    with pytest.raises(BadInput, match="16-bit colour labels"):
        decode_label(png(np.zeros((1, 12), np.uint8), 16, 2))


def test_encoding_is_deterministic_and_png_exact() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (33, 47, 3), dtype=np.uint8)
    for level in (1, 6):
        assert np.array_equal(decode_rgb(encode(noise, "png", compress_level=level)), noise)
    assert encode(noise, "png") == encode(noise.copy(), "png")
    assert encode(noise, "jpeg") == encode(noise.copy(), "jpeg")
    assert len(encode(noise, "jpeg", quality=50)) < len(encode(noise, "jpeg"))
    with pytest.raises(ValueError, match="'png' or 'jpeg'"):
        encode(noise, "webp")  # type: ignore[arg-type]


def test_a_picture_too_large_for_jpeg_says_so() -> None:
    with pytest.raises(BadInput, match="70000x1 is too large for JPEG: write PNG"):
        encode(np.zeros((1, 70_000, 3), np.uint8), "jpeg")


def test_jpeg_keeps_full_colour_resolution() -> None:
    stripes = np.zeros((16, 16, 3), np.uint8)
    stripes[:, ::2, 0] = 200
    decoded = decode_rgb(encode(stripes, "jpeg", quality=100)).astype(int)
    assert np.abs(decoded - stripes).max() < 12


def test_the_models_frame_and_back() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (6, 10, 3), dtype=np.uint8)
    same = to_model(noise, 6, 10)
    assert same.dtype == np.float32
    assert same.shape == (3, 6, 10)
    assert np.array_equal(from_model(same), noise)
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, -1)
    assert np.array_equal(from_model(to_model(ramp, 16, 16)), ramp)
    assert to_model(ramp, 16, 16).min() == -1
    assert to_model(ramp, 16, 16).max() == 1


def test_the_whole_picture_is_squashed_with_antialiasing() -> None:
    stripes = np.zeros((64, 128, 3), np.uint8)
    stripes[:, ::2] = 255
    small = to_model(stripes, 8, 8)
    assert small.shape == (3, 8, 8)
    assert np.abs(small).max() < 0.05  # grey: neither the black nor the white stripes were picked
    half = np.zeros((64, 128, 3), np.uint8)
    half[:, 64:] = 255
    assert to_model(half, 8, 8)[0, 0, 0] == -1
    assert to_model(half, 8, 8)[0, 0, 7] == 1


def test_from_model_rounds_and_clips() -> None:
    values = np.array([-3.0, -1.0, 0.0, 0.999, 5.0], np.float32).reshape(1, 1, 5).repeat(3, 0)
    assert from_model(values)[0, :, 0].tolist() == [0, 0, 128, 255, 255]


def test_suffixes_name_what_can_be_read() -> None:
    assert {".png", ".jpg", ".jpeg", ".webp"} <= images.IMAGE_SUFFIXES
