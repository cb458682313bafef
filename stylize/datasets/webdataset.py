"""WebDataset: tar shards in which files of one sample share their name up to the first dot.

    data/train-000003.tar: 0001TP.jpg, 0001TP.label.png, 0001TP.json, 0002TP.jpg, ...

The picture of a sample is its bare JPEG or PNG, or what is called image, img, rgb or input; all others are its labels.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

from stylize.datasets import shards
from stylize.datasets.matching import Layout
from stylize.datasets.tree import Tree, is_image, is_visible
from stylize.errors import BadInput, ConfigurationError
from stylize.packed import tar_address
from stylize.ranges import Ranges
from stylize.storage import Storage

SUFFIX = ".tar"
PACKED_TWICE = (".tar.gz", ".tgz", ".tar.zst", ".tar.bz2", ".tar.xz")
PICTURES = ("jpg", "jpeg", "webp", "bmp", "tif", "tiff", "ppm", "png")  # bare names, the likeliest picture first
PICTURE_NAMES = ("image", "img", "rgb", "input")
NOT_LABELS = ("provenance.json",)  # what `mix --format webdataset` adds
BLOCK = 1 << 16  # bytes asked for at once, where headers lie close together


class Member(NamedTuple):
    """A file of a shard; `key` and `ending` are its name up to and after the first dot behind the last slash."""

    key: str
    ending: str
    start: int
    size: int


def recognise(tree: Tree) -> bool:
    """Say whether there are tar files and no pictures beside them."""
    return shards.holds(tree, SUFFIX, *PACKED_TWICE)


def unpack(storage: Storage, tree: Tree) -> Tree:
    """Return the addresses of all pictures and labels; only the headers in the shards are read."""
    for path in tree.paths:
        if path.endswith(PACKED_TWICE):
            raise ConfigurationError(
                f"{storage.locate(path)} is compressed, so no picture in it can be read by itself: unpack it to .tar "
                "(pictures are compressed already)"
            )
    return shards.unpacked(storage, tree, SUFFIX, addresses)


def addresses(storage: Storage, shard: str) -> Iterator[str]:
    """Yield the addresses of the pictures and labels of a shard; raises `ConfigurationError` when it is damaged."""
    folder = shards.place(shard)
    for key, group in groupby(sorted(members(storage, shard)), key=lambda member: member.key):
        files = [member for member in group if member.ending not in NOT_LABELS]
        picture = _picture(files)
        for file in files:
            kind = shards.IMAGES if file is picture else shards.LABELS
            try:
                name = shards.named(kind, folder, f"{key}.{file.ending}")
            except BadInput as error:
                raise ConfigurationError(f"{storage.locate(shard)}: {error.reason}: pack it anew") from error
            yield tar_address(shard, file.start, file.size, name)


def members(storage: Storage, shard: str) -> Iterator[Member]:
    """Yield the files of a shard, in its order."""
    source = io.BufferedReader(Ranges(storage, shard, storage.size(shard)), BLOCK)
    try:
        with tarfile.open(fileobj=source, mode="r:") as tar:
            for info in tar:
                tar.members = []  # type: ignore[attr-defined]  # else it keeps them all
                folder, slash, name = info.name.removeprefix("./").rpartition("/")
                if info.isreg() and not info.issparse() and is_visible(folder + slash + name):
                    key, _, ending = name.partition(".")
                    yield Member(folder + slash + key, ending, info.offset_data, info.size)
    except (tarfile.TarError, EOFError) as error:
        raise ConfigurationError(
            f"{storage.locate(shard)} is no readable tar file ({error}): fetch it again or take it away"
        ) from error


def _picture(files: list[Member]) -> Member | None:
    """Return the picture among the files of a sample."""
    ranks = {member: _rank(member.ending.lower()) for member in files if is_image(f".{member.ending}")}
    fitting = [member for member, rank in ranks.items() if rank is not None]
    return min(fitting, key=lambda member: ranks[member] or 0, default=None)


def _rank(ending: str) -> int | None:
    name, _, suffix = ending.rpartition(".")
    if not name:
        return PICTURES.index(suffix) if suffix in PICTURES else None
    return len(PICTURES) + PICTURE_NAMES.index(name) if name in PICTURE_NAMES else None


LAYOUT = Layout(
    name="webdataset",
    example="train-000000.tar with 0001TP.jpg and 0001TP.label.png in it",
    recognise=recognise,
    collect=shards.collect,
    unpack=unpack,
)
