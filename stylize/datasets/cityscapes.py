"""Cityscapes: `leftImg8bit/<split>/<city>/*_leftImg8bit.png` with `gtFine`, `gtCoarse` and others in parallel."""

from __future__ import annotations

import re
from itertools import chain

from stylize.datasets.matching import Found, Layout, Matcher
from stylize.datasets.tree import Tree

IMAGES = "leftImg8bit"
# The right camera shows other pixels than the labels; its pictures are neither content nor labels.
OTHER_IMAGES = "rightImg8bit"
FRAME = re.compile(r"[^/]+/([^/]+)/[^/]+/([^/]+?)_leftImg8bit[^/]*")


def recognise(tree: Tree) -> bool:
    """Say whether there is a package `leftImg8bit*` with pictures named after it."""
    return any(FRAME.fullmatch(path) for name in packages(tree) for path in tree.tops[name])


def collect(tree: Tree) -> Found:
    """Read the frames of `leftImg8bit`, or of its variants (`leftImg8bit_foggy`) where the plain package is missing."""
    available = packages(tree)
    chosen = [IMAGES] if IMAGES in available else available
    matcher = Matcher(tree.paths)
    for number, path in chain.from_iterable(map(tree.images, chosen)):
        frame = FRAME.fullmatch(path)
        if frame:
            matcher.add_image(_group(path), frame.group(2), number, frame.group(1))
    companions = [name for name in tree.tops if name and not name.startswith((IMAGES, OTHER_IMAGES))]
    for number, path in chain.from_iterable(map(tree.files, companions)):
        if path.count("/") == 3:
            matcher.add_label(_group(path), number, path, path.split("/")[1])
    unused = [name for name in available if name not in chosen]
    note = f"pictures in {', '.join(chosen)}, labels in {', '.join(sorted(companions)) or 'no folder'}"
    left_out = f"; {', '.join(unused)} left out, because {IMAGES} is there" if unused else ""
    return matcher.found(note + left_out)


def packages(tree: Tree) -> list[str]:
    """Return the first folders that hold pictures of the left camera."""
    return sorted(name for name in tree.tops if name.startswith(IMAGES))


def _group(path: str) -> str:
    """Return `<split>/<city>`."""
    return "/".join(path.split("/")[1:3])


LAYOUT = Layout(
    name="cityscapes",
    example="leftImg8bit/train/aachen/aachen_000000_000019_leftImg8bit.png, "
    "gtFine/train/aachen/aachen_000000_000019_gtFine_labelIds.png",
    recognise=recognise,
    collect=collect,
)
