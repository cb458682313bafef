"""The pictures of a training, decoded once into a file that is mapped into memory, whatever their number.

FOLDER/<key>.pixels      [N, 3, h, w] bytes, the readable pictures in order
FOLDER/<key>.json        written last: size, number, and what could not be read

The key follows from the list of pictures and their size, so a resumed run, or a second process on the machine, finds
them and reads nothing again. Pictures that changed under the same name are not noticed: remove the folder then.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from stylize.datasets.base import Dataset, Sample
from stylize.errors import BadInput, FatalError
from stylize.images import decode_rgb, from_model, to_model
from stylize.localfiles import TEMPORARY
from stylize.training.team import Team

Located = tuple[Dataset, Sample]  # a picture and the dataset that it is read from
Unreadable = tuple[tuple[str, str], ...]

FORM = 1  # of the files; another number makes other keys
THREADS = 4
AHEAD = 64  # pictures that may be decoded and not written yet
POLL = 0.2  # seconds


def decoded(
    located: Sequence[Located],
    size: tuple[int, int],
    folder: Path,
    *,
    team: Team,
    on_picture: Callable[[int, int], None] | None = None,
) -> tuple[Tensor, Unreadable]:
    """Return pictures `[N, 3, *size]` uint8, mapped from a file of `folder`, and `(id, reason)` of unreadable ones.

    The file is made when there is none, by one process of every machine, for which the others wait. `on_picture(done,
    total)` is called after each picture that is decoded.

    Raises:
        FatalError: nothing is readable, or the folder cannot be written.
    """
    key = _key(located, size)
    pixels, listing = folder / f"{key}.pixels", folder / f"{key}.json"
    try:
        if team.local_rank == 0 and not listing.exists():
            folder.mkdir(parents=True, exist_ok=True)
            _make(located, size, pixels, listing, on_picture)
        while not listing.exists():
            time.sleep(POLL)
        found = json.loads(listing.read_text())
        shape = (found["pictures"], 3, *size)
        # Private, because a shared mapping is one for writing: pages are read when they are needed, and shared anyway.
        flat = torch.from_file(str(pixels), shared=False, size=shape[0] * 3 * size[0] * size[1], dtype=torch.uint8)
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise FatalError(
            f"cannot keep decoded pictures in {folder} ({error}): make room, remove it if it is damaged, "
            "or choose another with --picture-cache"
        ) from error
    return flat.view(shape), tuple((name, reason) for name, reason in found["unreadable"])


def user_folder() -> Path:
    """Return where decoded pictures lie by default when a run is written to a URL."""
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(caches) / "stylize" / "pictures"


def _key(located: Sequence[Located], size: tuple[int, int]) -> str:
    digest = hashlib.sha256(f"{FORM} {size[0]}x{size[1]}".encode())
    for dataset, sample in located:
        digest.update(f"\n{dataset.storage.url}\n{sample.image}".encode())
    return digest.hexdigest()[:16]


def _make(
    located: Sequence[Located],
    size: tuple[int, int],
    pixels: Path,
    listing: Path,
    on_picture: Callable[[int, int], None] | None,
) -> None:
    # A name of this machine's own: the next attempt here takes the place of one that was killed.
    hidden = pixels.with_name(f"{TEMPORARY}{platform.node()}-{pixels.stem}")
    with open(hidden, "wb") as file:
        good, bad = _write(file, located, size, on_picture)
    if not good:
        hidden.unlink()
        raise FatalError(
            f"none of {len(located)} pictures in {located[0][0].storage.url} is readable "
            f"({bad[0][0]}: {bad[0][1]}): run `stylize doctor` on it"
        )
    os.replace(hidden, pixels)
    record: dict[str, Any] = {"pictures": good, "height": size[0], "width": size[1], "unreadable": bad}
    hidden.write_text(json.dumps(record))
    os.replace(hidden, listing)


def _write(
    file: IO[bytes],
    located: Sequence[Located],
    size: tuple[int, int],
    on_picture: Callable[[int, int], None] | None,
) -> tuple[int, list[tuple[str, str]]]:
    """Write the readable pictures one after the other; return their number, and `(id, reason)` of the others."""
    bad: list[tuple[str, str]] = []
    for number, ((_, sample), picture) in enumerate(zip(located, _read_all(located, size), strict=True), start=1):
        if isinstance(picture, str):
            bad.append((sample.id, picture))
        else:
            file.write(picture)
        if on_picture:
            on_picture(number, len(located))
    return len(located) - len(bad), bad


def _read_all(located: Sequence[Located], size: tuple[int, int]) -> Iterator[bytes | str]:
    """Yield the bytes of each picture, or why there are none; few are decoded ahead."""
    with ThreadPoolExecutor(THREADS) as pool:
        for start in range(0, len(located), AHEAD):
            yield from pool.map(partial(_read, size), located[start : start + AHEAD])


def _read(size: tuple[int, int], located: Located) -> bytes | str:
    dataset, sample = located
    try:
        rgb = decode_rgb(dataset.storage.read(sample.image))
    except BadInput as error:
        return error.reason
    return from_model(to_model(rgb, *size)).transpose(2, 0, 1).tobytes()
