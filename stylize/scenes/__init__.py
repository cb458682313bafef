"""Procedural street scenes with exact labels: the same street by day, at dusk, at night, in fog, rain and snow."""

from __future__ import annotations

from stylize.scenes.conditions import CONDITIONS, Condition
from stylize.scenes.dataset import write_bundled, write_dataset, write_sheet
from stylize.scenes.kinds import CLASSES, IGNORE
from stylize.scenes.layout import Scene
from stylize.scenes.render import depth, labels, render

__all__ = [
    "CLASSES",
    "CONDITIONS",
    "IGNORE",
    "Condition",
    "Scene",
    "depth",
    "labels",
    "render",
    "write_bundled",
    "write_dataset",
    "write_sheet",
]
