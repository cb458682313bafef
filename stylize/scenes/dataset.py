"""Folders of rendered scenes in CamVid layout, or of plain pictures."""

from __future__ import annotations

import dataclasses
import io
import json
import os
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from stylize.scenes.conditions import CONDITIONS, Condition
from stylize.scenes.kinds import CLASSES, IGNORE
from stylize.scenes.layout import Scene
from stylize.scenes.render import labels, render
from stylize.storage import Storage

BUNDLED_SEED = 6


def write_dataset(
    target: Storage | str | os.PathLike[str],
    *,
    count: int,
    height: int,
    width: int,
    conditions: Sequence[str] = ("day",),
    split: str = "train",
    seed: int = 0,
    with_labels: bool = True,
) -> list[str]:
    """Render `count` scenes in each condition and return the pictures' paths.

    CamVid layout: `SPLIT/scene00012_day.png`, `SPLITannot/scene00012_day.png`, `classes.json`. Without labels the
    pictures lie in the folder itself. Scene numbers are `seed`, `seed + 1`, ...: disjoint ranges never share a street.
    Picture n has `Condition.sample(name, n)`, so the truth for scene a in the style of picture b is
    `render(Scene.sample(a), Condition.sample(name, b), ...)`.
    """
    storage = target if isinstance(target, Storage) else Storage(target)
    written = []
    if with_labels:
        storage.write("classes.json", classes_json())
    for number in range(seed, seed + count):
        scene = Scene.sample(number)
        truth = _png(labels(scene, height, width)) if with_labels else b""
        for name in conditions:
            file = f"scene{number:05d}_{name}.png"
            path = f"{split}/{file}" if with_labels else file
            storage.write(path, _png(render(scene, Condition.sample(name, number), height, width)))
            if with_labels:
                storage.write(f"{split}annot/{file}", truth)
            written.append(path)
    return written


def write_bundled(target: Storage | str | os.PathLike[str]) -> list[str]:
    """Write the small set that ships with the package: three streets in every condition.

    `python -c "from stylize import scenes; scenes.write_bundled('stylize/assets/scenes')"`
    """
    return write_dataset(target, count=3, height=192, width=256, conditions=CONDITIONS, seed=BUNDLED_SEED)


def write_sheet(
    path: str | os.PathLike[str],
    *,
    seeds: Sequence[int] = (6, 8),
    conditions: Sequence[str] = CONDITIONS,
    height: int = 144,
    width: int = 192,
) -> None:
    """Write a contact sheet as PNG, a row per scene and a column per condition; 64 steps per colour keep it small.

    `python -c "from stylize import scenes; scenes.write_sheet('docs/scenes.png')"`
    """
    rows = []
    for seed in seeds:
        scene = Scene.sample(seed)
        clean = (dataclasses.replace(Condition.sample(name, seed), grain=0.0) for name in conditions)
        rows.append(np.concatenate([render(scene, condition, height, width) for condition in clean], axis=1))
    steps = np.concatenate(rows) & np.uint8(0xFC)
    Image.fromarray(steps).save(path, "PNG", optimize=True)


def classes_json() -> bytes:
    """Return the file that names the classes."""
    return (json.dumps({"classes": list(CLASSES), "ignore_index": IGNORE}, indent=1) + "\n").encode()


def _png(array: npt.NDArray[np.uint8]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG", compress_level=6)
    return stream.getvalue()
