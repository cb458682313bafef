"""The count of what falls: folders at any depth, pictures alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stylize.images import encode


def test_what_falls_is_counted_by_picture(tmp_path: Path) -> None:
    from falling import densities

    clear = np.full((240, 320, 3), 90, np.uint8)
    clear[:60] = 200
    snowy = clear.copy()
    for y, x in np.random.default_rng(0).integers(0, (237, 317), (600, 2)):
        snowy[y : y + 3, x : x + 3] = 230
    (tmp_path / "deep").mkdir()
    (tmp_path / "a.png").write_bytes(encode(clear, "png"))
    (tmp_path / "deep" / "b.png").write_bytes(encode(snowy, "png"))
    (tmp_path / "notes.txt").write_text("no picture")
    found = densities(tmp_path)
    assert found[0] == 0
    assert found[1] > 4
