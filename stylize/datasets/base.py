"""Open a labelled dataset of any known layout from one listing of its files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from stylize.datasets import acdc, bdd100k, camvid, cityscapes, folder, parquet, webdataset
from stylize.datasets.matching import Found, Layout
from stylize.datasets.samples import Samples
from stylize.datasets.tree import Sample, Tree, copy_path
from stylize.errors import ConfigurationError
from stylize.storage import Storage

__all__ = ["LAYOUTS", "Dataset", "Sample", "copy_path", "open_dataset"]

SPECIFIC = (cityscapes.LAYOUT, acdc.LAYOUT, bdd100k.LAYOUT, camvid.LAYOUT)
SHARDED = (parquet.LAYOUT, webdataset.LAYOUT)
LAYOUTS: Mapping[str, Layout] = {layout.name: layout for layout in (*SPECIFIC, folder.LAYOUT, *SHARDED)}
EXTRA_SUFFIXES = (".json", ".txt", ".csv", ".md", ".yaml", ".yml", "LICENSE", "README")


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A dataset's files, found by name; nothing has been opened yet."""

    storage: Storage
    layout: str
    samples: Samples
    """Sorted by id."""
    extras: tuple[str, ...]
    """Small files of the root that describe the dataset, such as classes.json."""
    orphans: tuple[str, ...]
    """Labels whose image is missing."""
    note: str
    """One line on how the layout was chosen and what it took."""

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def splits(self) -> dict[str, int]:
        """Number of samples per split, sorted by name."""
        return self.samples.per_split()


def open_dataset(
    url: str | os.PathLike[str] | Storage,
    *,
    layout: str = "auto",
    split: str | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> Dataset:
    """List a dataset once and bring images and labels together by name; in shards, by the names in there.

    `layout` is one of `LAYOUTS` or "auto"; `split` keeps one split, or several separated by commas. Hidden files are
    skipped. Raises `ConfigurationError` when there are no pictures, no such split, or several layouts fit.
    """
    storage = url if isinstance(url, Storage) else Storage(url, storage_options)
    tree = Tree(storage.scan())
    chosen, why = _choose(tree, layout, storage.url)
    found = chosen.collect(chosen.unpack(storage, tree) if chosen.unpack else tree)
    if not found.samples:
        raise ConfigurationError(
            f"no pictures of layout {chosen.name} in {storage.url} ({_seen(tree)}): "
            f"it wants {chosen.example}; correct the path or --layout"
        )
    if any(first == second for first, second in pairwise(found.samples.ids())):
        raise ConfigurationError(
            f"two pictures in {storage.url} share an id, as `a.png`, `a.jpg`, `a.png.jpg` do: rename"
        )
    wanted = _wanted(found, split, storage.url)
    return Dataset(
        storage=storage,
        layout=chosen.name,
        samples=found.samples.of_splits(wanted),
        extras=tuple(path for path in tree.tops.get("", ()) if path.endswith(EXTRA_SUFFIXES)),
        orphans=tuple(path for its_split, path in found.orphans if split is None or its_split in wanted),
        note=f"layout {chosen.name} ({why}): {found.note}",
    )


def split_names(split: str) -> set[str]:
    """Return the splits that a text names, several separated by commas."""
    return {name.strip() for name in split.split(",")}


def _choose(tree: Tree, layout: str, url: str) -> tuple[Layout, str]:
    if not tree.paths:
        raise ConfigurationError(f"no files in {url}: it is missing or empty; correct the path")
    if layout != "auto":
        if layout not in LAYOUTS:
            raise ConfigurationError(f"unknown layout {layout!r}: --layout is auto, {', '.join(LAYOUTS)}")
        return LAYOUTS[layout], "asked for"
    fitting = [candidate for candidate in (*SPECIFIC, *SHARDED) if candidate.recognise(tree)]
    if len(fitting) > 1:
        names = " and ".join(candidate.name for candidate in fitting)
        raise ConfigurationError(f"{url} looks like {names}: choose with --layout")
    if fitting:
        return fitting[0], "recognised by its files"
    _refuse_parent(tree, url)
    return folder.LAYOUT, "no other layout fits"


def _refuse_parent(tree: Tree, url: str) -> None:
    """Raise when a known layout begins one folder further down: read as plain pictures, its labels would be content."""
    for top in sorted(name for name in tree.tops if name):
        below = tree.below(top)
        for candidate in SPECIFIC:
            if candidate.recognise(below):
                raise ConfigurationError(
                    f"{url} holds a {candidate.name} dataset in {top}/: open {url}/{top}, "
                    "or pass --layout folder to take every picture"
                )


def _wanted(found: Found, split: str | None, url: str) -> set[str]:
    present = set(found.samples.per_split())
    if split is None:
        return present
    wanted = split_names(split)
    if not wanted <= present:
        missing = ", ".join(sorted(wanted - present))
        names = ", ".join(sorted(filter(None, present))) or "no splits at all"
        raise ConfigurationError(f"no split {missing!r} in {url}: --split can be {names}")
    return wanted


def _seen(tree: Tree) -> str:
    some = ", ".join(tree.paths[:3])
    return f"{len(tree.paths)} files, such as {some}" if some else "no files"
