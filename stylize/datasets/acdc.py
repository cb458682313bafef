"""ACDC: `rgb_anon/<condition>/<split>/<sequence>/*_rgb_anon.png` with `gt/` in parallel; `train_ref` is a split."""

from __future__ import annotations

import re
from itertools import chain

from stylize.datasets.matching import Found, Layout, Matcher
from stylize.datasets.tree import Tree

IMAGES = "rgb_anon"
FRAME = re.compile(r"rgb_anon/[^/]+/([^/]+)/[^/]+/([^/]+?)(_rgb_ref_anon|_rgb_anon)\.\w+")


def recognise(tree: Tree) -> bool:
    """Say whether `rgb_anon/` holds pictures named after it."""
    return any(FRAME.fullmatch(path) for path in tree.tops.get(IMAGES, ()))


def collect(tree: Tree) -> Found:
    """Read all conditions; the normal-condition reference frames are the splits `train_ref`, `val_ref`, `test_ref`."""
    matcher = Matcher(tree.paths)
    for number, path in tree.images(IMAGES):
        frame = FRAME.fullmatch(path)
        if frame:
            matcher.add_image(_group(path), frame.group(2), number, frame.group(1))
    companions = sorted(name for name in tree.tops if name not in ("", IMAGES))
    for number, path in chain.from_iterable(map(tree.files, companions)):
        if path.count("/") == 4:
            matcher.add_label(_group(path), number, path, path.split("/")[2])
    return matcher.found(f"pictures in {IMAGES}, labels in {', '.join(companions) or 'no folder'}")


def _group(path: str) -> str:
    """Return `<condition>/<split>/<sequence>`."""
    return "/".join(path.split("/")[1:4])


LAYOUT = Layout(
    name="acdc",
    example="rgb_anon/fog/train/GOPR0475/GOPR0475_frame_000041_rgb_anon.png, "
    "gt/fog/train/GOPR0475/GOPR0475_frame_000041_gt_labelTrainIds.png",
    recognise=recognise,
    collect=collect,
)
