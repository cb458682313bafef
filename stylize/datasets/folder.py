"""Plain folders: pictures in any tree, or `images/` beside parallel label trees whose names begin alike."""

from __future__ import annotations

from array import array

from stylize.datasets.matching import Found, Layout, Matcher
from stylize.datasets.names import Files
from stylize.datasets.tree import Tree, is_image, stem

IMAGE_FOLDERS = frozenset({"images", "image", "imgs", "img"})
SPLITS = frozenset({"train", "training", "val", "valid", "validation", "test", "testing"})


def recognise(tree: Tree) -> bool:
    """Say whether there is any picture."""
    return any(map(is_image, tree.paths))


def collect(tree: Tree) -> Found:
    """Read pictures below `images/` with labels from its sibling folders; where there is none, every picture counts.

    Both `images/train/a.png` with `labels/train/a.png` and `train/images/a.png` with `train/labels/a.png` are read.
    """
    matcher = Matcher(tree.paths)
    rooms: set[str] = set()  # folders that hold an images folder
    others = array("I")
    for number, path in enumerate(tree.paths):
        room = _room(path)
        if room is None:
            others.append(number)
        elif is_image(path):
            rooms.add(room)
            inner = path[len(room) :].strip("/").split("/")[1:-1]
            matcher.add_image(_group(room, inner), stem(path), number, _split(path))
    left_out, plain = 0, array("I")
    for number, path in Files(tree.paths, others).numbered():
        folder = path.rpartition("/")[0]
        group = _group_of_label(path, rooms, matcher)
        if folder in rooms:
            left_out += is_image(path)
        elif group is not None:
            matcher.add_label(group, number, path, _split(path))
        elif is_image(path):
            plain.append(number)
    for number, path in Files(tree.paths, plain).numbered():  # last, because no label can be meant for them
        matcher.add_image(path.rpartition("/")[0], stem(path), number, _split(path))
    return matcher.found(_note(matcher, left_out))


def _room(path: str) -> str | None:
    """Return the folder in which this path's `images` folder lies; None when no part has such a name."""
    parts = path.split("/")[:-1]
    index = next((i for i, part in enumerate(parts) if part.lower() in IMAGE_FOLDERS), None)
    return None if index is None else "/".join(parts[:index])


def _group(room: str, inner: list[str]) -> str:
    return f"{room}//{'/'.join(inner)}"


def _group_of_label(path: str, rooms: set[str], matcher: Matcher) -> str | None:
    """Return the group of pictures a label belongs to; None for a file with no `images` folder beside or above it.

    A label folder may be deep (`labels/colour/train/a.png` for `images/train/a.png`): the first group that knows the
    name counts. An unmatched one gets the group of its own folder, which makes it an orphan.
    """
    parts = path.split("/")
    inside = [depth for depth in range(len(parts) - 1) if "/".join(parts[:depth]) in rooms]
    for depth in inside:
        for first in range(depth + 1, len(parts)):
            group = _group("/".join(parts[:depth]), parts[first:-1])
            if matcher.owner(group, path) is not None:
                return group
    return _group("/".join(parts[: inside[0]]), parts[inside[0] + 1 : -1]) if inside else None


def _split(path: str) -> str:
    return next((part for part in path.split("/")[:-1] if part.lower() in SPLITS), "")


def _note(matcher: Matcher, left_out: int) -> str:
    text = "labels beside images/" if matcher.any_labels else "pictures without labels"
    return f"{text}; {left_out} pictures beside images/ left out" if left_out else text


LAYOUT = Layout(
    name="folder", example="a.jpg, or images/train/a.jpg with labels/train/a.png", recognise=recognise, collect=collect
)
