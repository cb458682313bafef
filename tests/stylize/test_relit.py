from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stylize.errors import ConfigurationError
from stylize.images import Pixels, decode_rgb, encode
from stylize.relit import relight, relit
from tests.pipelines.helpers import picture, tree, write_dataset


def smooth(height: int = 60, width: int = 80) -> Pixels:
    return np.asarray(picture(1, height, width) // 2 + 60, np.uint8)


def test_draws_differ_in_light_and_follow_from_the_seed() -> None:
    made = [relit(smooth(), seed) for seed in range(12)]
    levels = [one.mean() for one in made]
    assert max(levels) > 2 * min(levels)
    assert all(np.abs(one.astype(int) - smooth()).mean() > 1 for one in made)  # none is left as it was
    assert all(np.array_equal(one, relit(smooth(), seed)) for seed, one in enumerate(made))


def test_large_pictures_have_coarser_noise() -> None:
    def fine(seed: int) -> float:
        noise = relit(np.full((960, 60, 3), 128, np.uint8), seed)[400:, :, 1].astype(float)
        return float(np.abs(np.diff(noise, axis=1)).mean() / (noise.std(axis=1).mean() + 1e-6))

    shares = [fine(seed) for seed in range(12)]
    assert max(shares) > 2 * min(shares)


@pytest.mark.parametrize("shape", [(1, 1), (7, 300), (300, 3)])
def test_odd_shapes_are_no_error(shape: tuple[int, int]) -> None:
    assert relit(smooth(*shape), 3).shape == (*shape, 3)


def test_a_dataset_is_written_once_and_gone_on_with(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "data", ["0001TP_0", "0001TP_1", "0001TP_2"])
    (data / "train" / "0001TP_1.png").write_bytes(b"torn")
    done = relight(data, tmp_path / "relit", limit=2)
    assert (done.pictures, [name for name, _ in done.failed]) == (1, ["train/0001TP_1"])
    before = tree(tmp_path / "relit")
    (data / "train" / "0001TP_1.png").write_bytes(encode(smooth(), "png"))
    steps: list[tuple[int, int]] = []
    assert relight(data, tmp_path / "relit", progress=lambda *step: steps.append(step)).pictures == 3
    assert steps == [(1, 3), (2, 3), (3, 3)]
    after = tree(tmp_path / "relit")
    assert {name: after[name] for name in before} == before
    assert sorted(after) == ["relight.json", *(f"train/0001TP_{number}.png" for number in range(3))]
    assert decode_rgb((tmp_path / "relit" / "train" / "0001TP_1.png").read_bytes()).shape == smooth().shape


def test_other_draws_and_other_folders_are_refused(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "data", ["0001TP_0"])
    relight(data, tmp_path / "relit")
    with pytest.raises(ConfigurationError, match="seed differ"):
        relight(data, tmp_path / "relit", seed=1)
    with pytest.raises(ConfigurationError, match="holds something else"):
        relight(data, data)
