"""The rasteriser against arithmetic done by hand."""

from __future__ import annotations

import numpy as np

from stylize.scenes.geometry import Patch, View, rasterise, tabulate

VIEW = View(height=40, width=60, focal=50.0, cx=30.0, cy=20.0, eye=1.5, rate=1)


def board(x0: float, x1: float, z: float, **more: object) -> Patch:
    """A rectangle from the ground to 3 m that faces the camera."""
    return Patch(
        corners=((x0, 0.0, z), (x1, 0.0, z), (x1, 3.0, z), (x0, 3.0, z)),
        uv=((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)),
        normal=(0.0, 0.0, -1.0),
        material=0,
        label=1,
        **more,  # type: ignore[arg-type]
    )


def test_a_board_covers_exactly_its_projection() -> None:
    inverse, number = rasterise(tabulate([board(-1, 1, 8)], 1.5), VIEW)
    rows, columns = np.nonzero(number == 0)
    # 50 px * 1 m / 8 m = 6.25 px to each side of 30, 9.375 px up and down from 20; pixels whose centre lies inside.
    assert (columns.min(), columns.max()) == (24, 35)
    assert (rows.min(), rows.max()) == (11, 28)
    assert np.allclose(inverse[number == 0], 0.125, rtol=1e-5)
    assert inverse[number < 0].max() == 0


def test_the_nearer_board_wins_in_either_order() -> None:
    for patches, near in (([board(-1, 1, 10), board(-1, 1, 5)], 1), ([board(-1, 1, 5), board(-1, 1, 10)], 0)):
        _, number = rasterise(tabulate(patches, 1.5), VIEW)
        assert number[20, 30] == near


def test_a_wall_through_the_camera_plane_is_clipped() -> None:
    wall = Patch(
        corners=((2.0, 0.0, -5.0), (2.0, 0.0, 30.0), (2.0, 3.0, 30.0), (2.0, 3.0, -5.0)),
        uv=((0.0, 0.0), (35.0, 0.0), (35.0, 3.0), (0.0, 3.0)),
        normal=(-1.0, 0.0, 0.0),
        material=0,
        label=1,
    )
    inverse, number = rasterise(tabulate([wall], 1.5), VIEW)
    assert (number[20, :33] == -1).all()
    slope = (np.arange(60) + 0.5 - 30) / 50
    hit = number[20] == 0
    assert hit[-1]
    assert np.allclose(1 / inverse[20, hit], 2 / slope[hit], rtol=1e-4)


def test_a_cut_sees_the_patch_coordinates() -> None:
    half = board(-1, 1, 10, cut=lambda u, v, foot: u < 0.5, solid_label=True)
    table = tabulate([half], 1.5)
    assert np.flatnonzero((rasterise(table, VIEW)[1] == 0).any(axis=0)).tolist() == list(range(25, 30))
    assert (rasterise(table, VIEW, solid=True)[1] == 0).any(axis=0).sum() == 10


def test_bands_agree_with_the_whole() -> None:
    table = tabulate([board(-1, 1, 10), board(-3, 0.3, 6)], 1.5)
    whole = rasterise(table, VIEW)[1]
    parts = [rasterise(table, VIEW, rows=slice(a, a + 8))[1] for a in range(0, 40, 8)]
    assert np.array_equal(whole, np.concatenate(parts))
