"""Contact sheets: rows of pictures side by side under column titles, each with a small caption."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from stylize.images import Pixels

PAPER, INK, FAINT = (250, 250, 248), (32, 32, 36), (120, 120, 126)
MARGIN, GAP, LINE = 24, 12, 18  # pixels: around the sheet, between pictures, of a line of text
TITLE_SIZE, CAPTION_SIZE = 15, 12


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A picture of a sheet, [H, W, 3] uint8 of any size, and the line under it."""

    picture: Pixels
    caption: str = ""


def contact_sheet(titles: Sequence[str], rows: Sequence[Sequence[Cell]], *, width: int = 320) -> Pixels:
    """Return a sheet of rows with one cell per title, columns `width` pixels wide.

    The first picture of a row is brought to that width and sets the row's height; the others are fitted into the same
    frame, aspect kept. Captions too long for their cell lose their middle.
    """
    rows = [fit_row(row, width=width) for row in rows]
    heights = [row[0].picture.shape[0] for row in rows]
    columns = len(titles)
    size = (
        2 * MARGIN + columns * width + (columns - 1) * GAP,
        2 * MARGIN + LINE + GAP // 2 + sum(heights) + len(rows) * (LINE + GAP) - GAP,
    )
    sheet = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(sheet)
    lefts = [MARGIN + column * (width + GAP) for column in range(columns)]
    for left, title in zip(lefts, titles, strict=True):
        draw.text((left, MARGIN + 12), title, INK, _font(TITLE_SIZE), anchor="ls")
    top = MARGIN + LINE + GAP // 2
    for cells, height in zip(rows, heights, strict=True):
        for left, cell in zip(lefts, cells, strict=True):
            sheet.paste(Image.fromarray(cell.picture), (left, top + (height - cell.picture.shape[0]) // 2))
            baseline = (left, top + height + LINE - 4)
            draw.text(baseline, _shortened(cell.caption, width), FAINT, _font(CAPTION_SIZE), anchor="ls")
        top += height + LINE + GAP
    return np.asarray(sheet)


def fit_row(cells: Sequence[Cell], *, width: int = 320) -> list[Cell]:
    """Return the cells of a row with pictures of the size that they have on the sheet: what threads can do before."""
    height = _height(cells[0].picture, width)
    return [replace(cell, picture=np.asarray(_fitted(cell.picture, width, height))) for cell in cells]


def evenly(count: int, wanted: int) -> list[int]:
    """Return up to `wanted` indices spread evenly over 0..count-1, the middle of each share."""
    shown = min(count, wanted)
    return [(2 * index + 1) * count // (2 * shown) for index in range(shown)]


def _height(picture: Pixels, width: int) -> int:
    return int(max(1, min(2 * width, round(picture.shape[0] * width / picture.shape[1]))))


def _fitted(picture: Pixels, width: int, height: int) -> Image.Image:
    scale = min(width / picture.shape[1], height / picture.shape[0])
    size = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
    return Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS, reducing_gap=3)


def _shortened(text: str, width: int) -> str:
    """Return a text that fits, its middle left out: the ends of file names tell them apart."""
    font, kept = _font(CAPTION_SIZE), len(text)
    shown = text
    while font.getlength(shown) > width and kept > 2:
        kept -= 1
        shown = f"{text[: kept - kept // 2]}…{text[len(text) - kept // 2 :]}"
    return shown


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
