"""BDD100K: `images/10k/<split>` with `labels/<task>/<kind>/<split>`, and the older `seg/images`, `seg/labels`."""

from __future__ import annotations

import re
from itertools import chain

from stylize.datasets.matching import Found, Layout, Matcher
from stylize.datasets.tree import Tree, stem

# The 10k and the 100k pictures share some names, but not their labels.
TASKS_10K = frozenset({"sem_seg", "ins_seg", "pan_seg"})
NEW_IMAGE = re.compile(r"images/(10k|100k)/([^/]+)/[^/]+")
OLD_IMAGE = re.compile(r"seg/images/([^/]+)/[^/]+")
NEW_LABEL = re.compile(r"labels/([^/]+)/[^/]+/([^/]+)/[^/]+")
OLD_LABEL = re.compile(r"seg/([^/]+)/([^/]+)/[^/]+")


def recognise(tree: Tree) -> bool:
    """Say whether `images/10k/`, `images/100k/` or `seg/images/` holds pictures in splits."""
    images = chain(tree.images("images"), tree.images("seg"))
    return any(NEW_IMAGE.fullmatch(path) or OLD_IMAGE.fullmatch(path) for _, path in images)


def collect(tree: Tree) -> Found:
    """Read the new names (both picture sets) and the older ones; every label whose name begins with a picture's."""
    matcher = Matcher(tree.paths)
    for number, path in chain(tree.images("images"), tree.images("seg")):
        new, old = NEW_IMAGE.fullmatch(path), OLD_IMAGE.fullmatch(path)
        if new:
            matcher.add_image(f"{new.group(1)}/{new.group(2)}", stem(path), number, new.group(2))
        elif old:
            matcher.add_image(f"seg/{old.group(1)}", stem(path), number, old.group(1))
    _add_labels(matcher, tree)
    return matcher.found("labels in " + ("labels/" if "labels" in tree.tops else "seg/labels/"))


def _add_labels(matcher: Matcher, tree: Tree) -> None:
    for number, path in tree.files("labels"):
        new = NEW_LABEL.fullmatch(path)
        if new:
            task, split = new.groups()
            matcher.add_label(f"{'10k' if task in TASKS_10K else '100k'}/{split}", number, path, split)
    for number, path in tree.files("seg"):
        old = OLD_LABEL.fullmatch(path)
        if old and old.group(1) != "images":
            matcher.add_label(f"seg/{old.group(2)}", number, path, old.group(2))


LAYOUT = Layout(
    name="bdd100k",
    example="images/10k/train/0004a4c0-d4dff0ad.jpg, labels/sem_seg/masks/train/0004a4c0-d4dff0ad.png",
    recognise=recognise,
    collect=collect,
)
