"""Codes and noise maps of a cache handed out as one NumPy archive, unit by unit, however large the cache.

What `numpy.load("codes.npz")` gives, of N pictures:

    ids            [N]                   text; sorted as in the cache
    images         [N]                   text; the source files, relative to their dataset
    psnr           [N]                   float32, dB of the reconstruction from what is stored
    w_plus         [N, num_ws, w_dim]    float32: `Codes.ws_BLD`
    noise_0        [N, C, H, W]          float32, dequantised: `Codes.noise[0]`
    noise_1        [N, C, H, W]          likewise, `Codes.noise[1]`
    model_sha256   []                    text; of the bundle that made them and that renders them
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any

import numpy as np
import pyarrow as pa

from stylize.cache import CacheReader
from stylize.codec import Floats, decode_noise
from stylize.npz import NpzWriter
from stylize.storage import Storage

Unit = tuple[int, slice]


def export_rows(reader: CacheReader, units: Sequence[Unit], storage: Storage, name: str) -> int:
    """Write rows of some units as an archive and return how many they were.

    The noise maps of one unit are in memory at a time; the archive waits in a temporary file until it is whole.
    """
    root = storage.local_root
    if root is not None:
        root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=root) as file:
        rows = _write(reader, units, file)
        file.seek(0)
        storage.write_from(name, file)
    return rows


def first_rows(reader: CacheReader, limit: int | None) -> list[Unit]:
    """Return the units that hold the first `limit` rows, or all, with the rows wanted of each."""
    left = len(reader) if limit is None else min(limit, len(reader))
    units: list[Unit] = []
    for unit in range(reader.units):
        if left > 0:
            here = len(reader.columns(unit, ("id",), keep=False))
            units.append((unit, slice(0, min(here, left))))
            left -= here
    return units


def one_row(reader: CacheReader, id: str) -> list[Unit]:
    """Return the place of one id."""
    unit = reader.locate(id)
    place = reader.columns(unit, ("id",), keep=False).column("id").index(id).as_py()
    return [(unit, slice(place, place + 1))]


def _write(reader: CacheReader, units: Sequence[Unit], file: IO[bytes]) -> int:
    def tables(*names: str) -> Iterator[pa.Table]:
        for unit, rows in units:
            table = reader.columns(unit, names, keep=False)
            yield table.slice(rows.start, rows.stop - rows.start)

    plain = pa.concat_tables(tables("id", "image", "psnr"))
    count, info = len(plain), reader.info
    with NpzWriter(file) as archive:
        archive.add("ids", np.array(plain.column("id").to_pylist(), np.str_))
        archive.add("images", np.array(plain.column("image").to_pylist(), np.str_))
        archive.add("psnr", np.array(plain.column("psnr").to_pylist(), np.float32))
        codes = (_blob(table, "w_plus", row) for table in tables("w_plus") for row in range(len(table)))
        archive.add_rows("w_plus", (count, info.num_ws, info.w_dim), np.float32, codes)
        for number, shape in enumerate(info.noise_shapes):
            decode = _decoder(reader, number, shape)
            names = f"noise_{number}", f"scale_{number}"
            maps = (decode(table, row) for table in tables(*names) for row in range(len(table)))
            archive.add_rows(f"noise_{number}", (count, *shape), np.float32, maps)
        archive.add("model_sha256", np.array(info.model_sha256))
    return count


def _decoder(reader: CacheReader, number: int, shape: tuple[int, int, int]) -> Callable[[pa.Table, int], Floats]:
    def decode(table: pa.Table, row: int) -> Floats:
        blob: Any = table.column(f"noise_{number}")[row].as_buffer()
        return decode_noise(blob, _blob(table, f"scale_{number}", row), shape, reader.info.noise)

    return decode


def _blob(table: pa.Table, name: str, row: int) -> Floats:
    return np.frombuffer(table.column(name)[row].as_buffer(), "<f4")
