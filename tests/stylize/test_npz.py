"""Archives written row by row are those that NumPy reads."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest

from stylize.npz import NpzWriter


def written(fill: Callable[[NpzWriter], None]) -> bytes:
    file = io.BytesIO()
    with NpzWriter(file) as archive:
        fill(archive)
    return file.getvalue()


def test_what_went_in_comes_out() -> None:
    rows = np.arange(24, dtype=np.float32).reshape(4, 3, 2)

    def fill(archive: NpzWriter) -> None:
        archive.add("names", np.array(["a", "längst"], np.str_))
        archive.add_rows("rows", rows.shape, np.float32, (row.astype(np.float64) for row in rows))
        archive.add_rows("none", (0, 3), np.float32, [])
        archive.add("scalar", np.array("text"))

    found = np.load(io.BytesIO(written(fill)))
    assert list(found["names"]) == ["a", "längst"]
    assert found["rows"].dtype == np.float32
    np.testing.assert_array_equal(found["rows"], rows)
    assert found["none"].shape == (0, 3)
    assert found["scalar"] == "text"


def test_equal_arrays_make_equal_bytes() -> None:
    first, second = (written(lambda archive: archive.add("a", np.ones(3))) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(("parts", "reason"), [(1, "3 values are missing"), (3, "3 values too many")])
def test_another_number_of_rows_is_refused(parts: int, reason: str) -> None:
    with pytest.raises(ValueError, match=f"rows: {reason}"):
        written(lambda archive: archive.add_rows("rows", (2, 3), np.float32, [np.zeros((1, 3), np.float32)] * parts))
