"""Pictures of a dataset in random light and weather: exemplars for a source that has none but its own daylight.

What the encoder saw in training (see `stylize.training.relight`) is drawn again, once for each picture: dark, bright,
tinted, grey, and hazy towards the horizon; and noise as of a sensor or, in every other picture, streaked as by rain.
Nothing of it is from outside. As exemplars, with `--grain 1 --haze 1`, these pictures teach a network not to rely on
light, without any picture of the places where it will be used.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from stylize import images
from stylize.datasets.base import Sample, open_dataset
from stylize.errors import BadInput, ConfigurationError
from stylize.images import Pixels
from stylize.plan import item_seed
from stylize.storage import Storage
from stylize.training import relight as random_light

RECORD = "relight.json"
FAINTEST, STRONGEST = 0.5, 14.0  # standard deviation of the noise, grey levels
STREAKED = 0.5  # share of the pictures whose noise is streaked
LONGEST, STEEPEST = 13, 0.4  # of streaks: pixels down, and pixels aside for each
ROWS = 240  # height of a picture to which these pixels belong; of larger ones they are larger
_THREADS = 8


@dataclass(frozen=True, kw_only=True)
class Relit:
    """What came of it: how many pictures are there, and the (id, reason) of those that could not be read."""

    url: str
    pictures: int
    failed: tuple[tuple[str, str], ...]


def relit(picture_HWC: Pixels, seed: int) -> Pixels:
    """Return a picture [H, W, 3] in random light and weather; equal seeds give equal draws."""
    rng = torch.Generator().manual_seed(seed)
    image_BCHW = torch.from_numpy(picture_HWC.astype(np.float32)).permute(2, 0, 1)[None] / 127.5 - 1
    lit_CHW = random_light.relight(image_BCHW, rng, untouched=0.0)[0]
    lit_HWC = (lit_CHW.permute(1, 2, 0).numpy() + 1) * 127.5
    height, width, _ = lit_HWC.shape
    return np.asarray(np.clip(np.rint(lit_HWC + _noise(height, width, seed)[..., None]), 0, 255), np.uint8)


def relight(
    dataset: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    layout: str = "auto",
    split: str | None = None,
    limit: int | None = None,
    seed: int = 0,
    storage_options: Mapping[str, Any] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Relit:
    """Write each picture of a dataset, upright and as PNG, in random light and weather; a second call goes on.

    Args:
        dataset, out: folders or URLs. Pictures go to `out/ID.png`; labels stay behind, as exemplars need none.
        layout, split, limit: which pictures of the dataset.
        seed: start of all randomness; a picture's draw depends on it and on the picture's id alone.
        storage_options: passed to fsspec for both.
        progress: called with the number of pictures done and of all.

    Raises:
        ConfigurationError: `out` holds something else.
    """
    storage = Storage(out, storage_options)
    source = open_dataset(dataset, layout=layout, split=split, storage_options=storage_options)
    _claim(storage, {"dataset": source.storage.url, "layout": source.layout, "seed": seed})
    samples = list(islice(source.samples, limit))
    known = set(storage.list())

    def write(sample: Sample) -> str | None:
        if path_of(sample.id) in known:
            return None
        try:
            picture_HWC = images.decode_rgb(source.storage.read(sample.image))
        except BadInput as error:
            return error.reason
        made_HWC = relit(picture_HWC, item_seed(seed, sample.id, 0))
        storage.write(path_of(sample.id), images.encode(made_HWC, "png"))
        return None

    failed = []
    with ThreadPoolExecutor(_THREADS) as threads:
        for number, (sample, reason) in enumerate(zip(samples, threads.map(write, samples), strict=True), 1):
            if reason is not None:
                failed.append((sample.id, reason))
            if progress:
                progress(number, len(samples))
    return Relit(url=storage.url, pictures=len(samples) - len(failed), failed=tuple(failed))


def path_of(sample: str) -> str:
    """Return where the picture of a sample goes."""
    return f"{sample}.png"


def _claim(storage: Storage, record: Mapping[str, Any]) -> None:
    """Note what the folder is for; raises ConfigurationError when it is for something else."""
    if storage.exists(RECORD):
        earlier = storage.read_json(RECORD)
        if earlier != record:
            differing = sorted(name for name in record if earlier.get(name) != record[name])
            raise ConfigurationError(
                f"{storage.url} holds pictures that were re-lit otherwise ({', '.join(differing)} differ): "
                "choose another folder"
            )
    elif next(iter(storage.list()), None) is not None:
        raise ConfigurationError(f"{storage.url} holds something else: choose another folder")
    else:
        storage.write_json(RECORD, dict(record))


def _noise(height: int, width: int, seed: int) -> npt.NDArray[np.float32]:
    """Return noise of random strength and, in large pictures, of random coarseness, [H, W] in grey levels."""
    rng = np.random.default_rng(seed)
    sigma = math.exp(rng.uniform(math.log(FAINTEST), math.log(STRONGEST)))
    coarse = int(rng.integers(1, max(1, round(height / ROWS)) + 1))
    fine_HW = rng.standard_normal((-(-height // coarse), -(-width // coarse)), np.float32)
    if rng.random() < STREAKED:
        aside = rng.uniform(-STEEPEST, STEEPEST)
        steps = range(int(rng.integers(2, LONGEST + 1)))
        fine_HW = np.sum([np.roll(fine_HW, (step, round(step * aside)), (0, 1)) for step in steps], axis=0)
        fine_HW /= math.sqrt(len(steps))
    return np.asarray(sigma * fine_HW.repeat(coarse, 0).repeat(coarse, 1)[:height, :width], np.float32)
