"""NumPy's archives written row by row: arrays larger than memory, in a file that `numpy.load` opens."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from types import TracebackType
from typing import IO

import numpy as np
import numpy.typing as npt


class NpzWriter:
    """Writes arrays into an open file, one after the other, uncompressed; equal arrays make equal bytes."""

    def __init__(self, file: IO[bytes]) -> None:
        self._archive = zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True)

    def __enter__(self) -> NpzWriter:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write the directory of the archive."""
        self._archive.close()

    def add(self, name: str, array: npt.ArrayLike) -> None:
        """Write an array whole."""
        whole = np.asarray(array)
        self.add_rows(name, whole.shape, whole.dtype, [whole])

    def add_rows(
        self, name: str, shape: tuple[int, ...], dtype: npt.DTypeLike, parts: Iterable[npt.NDArray[np.generic]]
    ) -> None:
        """Write an array of a known shape from parts that together hold its rows in order.

        Raises ValueError when they hold more or fewer values than the shape.
        """
        item = np.dtype(dtype)
        header = {"descr": np.lib.format.dtype_to_descr(item), "fortran_order": False, "shape": shape}
        left = int(np.prod(shape, dtype=np.int64))
        entry = zipfile.ZipInfo(f"{name}.npy")  # of 1980, so that the bytes do not tell when they were written
        with self._archive.open(entry, "w", force_zip64=True) as member:
            np.lib.format.write_array_header_1_0(member, header)
            for part in parts:
                left -= part.size
                member.write(np.ascontiguousarray(part, item).tobytes())
        if left:
            raise ValueError(f"{name}: {-left} values too many" if left < 0 else f"{name}: {left} values are missing")
