"""The picture that `inspect` draws of a cached one: source, reconstruction and their difference, side by side."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from stylize.cache import CacheInfo, CacheRow
from stylize.errors import BadInput, ConfigurationError, StylizeError
from stylize.evaluation.tables import file_at
from stylize.images import Pixels, decode_rgb, encode, from_model, to_model
from stylize.models.bundle import Bundle, load_bundle
from stylize.render import render_clipped
from stylize.sheet import Cell, contact_sheet
from stylize.storage import Storage

Place = str | os.PathLike[str]

ENLARGED = 4  # times the difference is shown
WIDTH = 400  # of each picture, in pixels


def draw(
    run: Mapping[str, Any],
    options: Mapping[str, Any],
    info: CacheInfo,
    row: CacheRow,
    where: Place,
    model: Place | None,
    dataset: Place | None,
) -> tuple[str, tuple[str, ...]]:
    """Write source, reconstruction and difference side by side; return where it is, and notes on what is not right.

    Without the source the picture is the reconstruction alone. Raises `ConfigurationError` for another model.
    """
    sources = run["sources"]
    bundle = _bundle(os.fspath(model or sources["model"]), run["weights"], options)
    ws_BLD = torch.from_numpy(row.codes(info).copy())[None]
    noise = [torch.from_numpy(noise_CHW)[None] for noise_CHW in row.noise(info)]
    restored_HWC = from_model(render_clipped(bundle, ws_BLD, noise)[0].numpy())
    cells = [
        ("Reconstruction", Cell(picture=restored_HWC, caption=f"{row.psnr:.1f} dB PSNR at {size_of(restored_HWC)}"))
    ]
    notes: list[str] = []
    try:
        data = Storage(dataset or sources["dataset"], options).read(row.image)
        source_HWC = from_model(to_model(decode_rgb(data), info.height, info.width))
    except BadInput as error:
        notes.append(f"without the source ({error}): --dataset says where it is now")
    else:
        if hashlib.sha256(data).hexdigest() != row.source_sha256:
            notes.append(f"{row.image} has changed since it was inverted: the difference is to the file of today")
        cells.insert(0, ("Source", Cell(picture=source_HWC, caption=row.image)))
        caption = f"the difference, times {ENLARGED}"
        cells.append(("Difference", Cell(picture=difference(source_HWC, restored_HWC), caption=caption)))
    folder, name = file_at(where, options)
    sheet_HWC = contact_sheet([title for title, _ in cells], [[cell for _, cell in cells]], width=WIDTH)
    folder.write(name, encode(sheet_HWC, "png"))
    return folder.locate(name), tuple(notes)


def _bundle(model: str, weights: str, options: Mapping[str, Any]) -> Bundle:
    try:
        bundle = load_bundle(model, device="cpu", storage_options=options)
    except StylizeError as error:
        raise ConfigurationError(f"no model to reconstruct with ({error}): say where it is, with --model") from error
    if bundle.sha256 != weights:
        raise ConfigurationError(
            f"the model {model} ({bundle.sha256[:12]}) is not the one that this cache was inverted with "
            f"({weights[:12]}): name that one with --model"
        )
    return bundle


def difference(source_HWC: Pixels, restored_HWC: Pixels) -> Pixels:
    """Return the difference of two pictures, enlarged: black where they agree."""
    apart_HWC = np.abs(source_HWC.astype(np.int16) - restored_HWC)
    enlarged_HWC: Pixels = np.minimum(ENLARGED * apart_HWC, 255).astype(np.uint8)
    return enlarged_HWC


def size_of(picture_HWC: Pixels) -> str:
    """Spell the size of a picture: width x height."""
    return f"{picture_HWC.shape[1]} x {picture_HWC.shape[0]}"
