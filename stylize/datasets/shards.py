"""What the layouts of shards share: pictures and labels are listed by their addresses, without reading one of them.

Each file in a shard gets a name as if it lay in folders, `images/<split>/<shard>/<name>.png` for a picture and
`labels/<split>/<shard>/<name>.<kind>.png` for its labels: ids and outputs follow from these.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from stylize.datasets.folder import SPLITS
from stylize.datasets.matching import Found, Matcher
from stylize.datasets.tree import Tree, is_image, stem, without_suffix
from stylize.packed import inner
from stylize.storage import Storage, clean

IMAGES, LABELS = "images", "labels"
THREADS = 16  # shards whose headers are read at once
AHEAD = 64

List = Callable[[Storage, str], Iterable[str]]


def unpacked(storage: Storage, tree: Tree, suffix: str, addresses: List) -> Tree:
    """Return the tree of the addresses of all files in the shards of a listing, which end in `suffix`."""
    return Tree(_listed(storage, [path for path in tree.paths if path.endswith(suffix)], addresses))


def _listed(storage: Storage, shards: list[str], addresses: List) -> Iterator[str]:
    waiting = iter(shards)
    with ThreadPoolExecutor(THREADS, "shards") as pool:
        while some := list(islice(waiting, AHEAD)):
            for listed in pool.map(lambda shard: list(addresses(storage, shard)), some):
                yield from listed


def holds(tree: Tree, *suffixes: str) -> bool:
    """Say whether a listing holds shards and no pictures beside them, among which shards would be something else."""
    found = False
    for path in tree.paths:
        if is_image(path):
            return False
        found = found or path.endswith(suffixes)
    return found


def collect(tree: Tree) -> Found:
    """Bring the pictures and labels of a tree of addresses together: they share folders and the beginning of a name."""
    matcher = Matcher(tree.paths)
    shards: set[str] = set()
    for number, address in enumerate(tree.paths):
        kind, _, name = inner(address).partition("/")
        if kind == IMAGES:
            folder = name.rpartition("/")[0]
            shards.add(address.partition("!")[0])
            matcher.add_image(folder, key_of(stem(name)), number, split_of(folder))
    for number, address in enumerate(tree.paths):
        kind, _, name = inner(address).partition("/")
        if kind == LABELS:
            matcher.add_label(name.rpartition("/")[0], number, address)
    count = len(shards)
    labels = "with labels" if matcher.any_labels else "without labels"
    return matcher.found(f"pictures {labels} in {count} shard{'' if count == 1 else 's'}")


def key_of(name: str) -> str:
    """Return the beginning of a picture's name that its labels begin with as well."""
    return name.partition(".")[0] or name


def place(shard: str) -> str:
    """Return the folder that the files of a shard are named into: its path, and its split where no folder says it."""
    path = without_suffix(shard)
    split = split_of(path)
    return f"{split}/{path}" if split and split not in path.split("/") else path


def split_of(path: str) -> str:
    """Return the split that a shard's name tells, as `train` of `data/train-00001-of-00004`; "" when none."""
    return next((part for part in re.split(r"[/._-]", path) if part.lower() in SPLITS), "")


def named(kind: str, folder: str, name: str) -> str:
    """Return the name of a file in a shard; raises `BadInput` for one that could leave its folder."""
    return clean(f"{kind}/{folder}/{name}".replace("!", "_"))
