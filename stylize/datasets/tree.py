"""What every layout shares: the samples, the file tree they are found in, and how labels find their image."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from stylize.images import IMAGE_SUFFIXES

JUNK_FOLDERS = frozenset({"__MACOSX", "@eaDir", "lost+found"})
RUN_FOLDERS = frozenset({"commits", "provenance", "shards", "report", "sheets"})
RUN_FILES = frozenset({"run.json", "manifest.json", "session.json", "sheet.png"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """One picture with everything that belongs to it; all paths are relative to the dataset's root."""

    id: str
    """Unique and stable: the image path without its extension."""
    image: str
    labels: tuple[str, ...]
    """Every label file of this picture, sorted; they travel with each copy."""
    split: str
    """ "train", "val", ... or "" when the layout has none."""
    key: str
    """The beginning of every basename, image and labels, that names the frame; copies are numbered right after it."""


def copy_path(path: str, key: str, k: int) -> str:
    """Return the name of copy `k` of a file: `a_leftImg8bit.png`, key `a` and 1 give `a__1_leftImg8bit.png`."""
    folder, slash, name = path.rpartition("/")
    if not name.startswith(key):
        raise ValueError(f"{path!r} does not begin with its key {key!r}")
    return f"{folder}{slash}{key}__{k}{name[len(key) :]}"


class Tree:
    """The visible files of a dataset, grouped by their first folder ("" holds the files of the root)."""

    def __init__(self, paths: Iterable[str]) -> None:
        self.paths = [path for path in paths if is_visible(path)]
        if "run.json" in self.paths:
            self.paths = [path for path in self.paths if not _is_bookkeeping(path)]
        self.tops: dict[str, list[str]] = {}
        for path in self.paths:
            self.tops.setdefault(path.partition("/")[0] if "/" in path else "", []).append(path)

    def below(self, top: str) -> Tree:
        """Return the tree as seen from one of its first folders."""
        return Tree(path.partition("/")[2] for path in self.tops[top])


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a layout makes of a tree."""

    samples: tuple[Sample, ...]
    orphans: tuple[tuple[str, str], ...] = ()
    """(split, path) of each label whose image is missing."""
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A convention of names: how to recognise it and how to read it."""

    name: str
    example: str
    recognise: Callable[[Tree], bool]
    collect: Callable[[Tree], Found]


@dataclass
class Matcher:
    """Bring images and labels together that lie in one group (split, city, ...) and share a key; linear in files."""

    images: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    labels: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    splits: dict[str, str] = field(default_factory=dict)
    orphans: list[tuple[str, str]] = field(default_factory=list)

    def add_image(self, group: str, key: str, path: str, split: str) -> None:
        """Take an image; several images may share a key (the strengths of one fog), and then share the labels."""
        self.images.setdefault(group, {}).setdefault(key, []).append(path)
        self.splits[group] = split

    def add_label(self, group: str, path: str, split: str = "") -> None:
        """Take a label after all images; one without an image is an orphan, unless it is no picture."""
        key = leading_key(stem(path), self.images.get(group, {}))
        if key is not None:
            self.labels.setdefault((group, key), []).append(path)
        elif is_image(path):
            self.orphans.append((split, path))

    def found(self, note: str = "") -> Found:
        """Return the samples, sorted by id."""
        rows = [
            (path, tuple(sorted(self.labels.get((group, key), ()))), self.splits[group], key)
            for group, keys in self.images.items()
            for key, paths in keys.items()
            for path in paths
        ]
        clashes = _twice(without_suffix(path) for path, *_ in rows)
        samples = [
            Sample(
                # `a.png` beside `a.jpg`: here the extension is part of the id.
                id=path if without_suffix(path) in clashes else without_suffix(path),
                image=path,
                labels=labels,
                split=split,
                key=key,
            )
            for path, labels, split, key in rows
        ]
        return Found(
            samples=tuple(sorted(samples, key=lambda sample: sample.id)), orphans=tuple(sorted(self.orphans)), note=note
        )


def leading_key(name: str, known: Collection[str]) -> str | None:
    """Return the longest of the known names that `name` begins with, ending where `name` ends or at a `_` or `.`."""
    end = len(name)
    while end > 0:
        if name[:end] in known:
            return name[:end]
        end = max(name.rfind("_", 0, end), name.rfind(".", 0, end))
    return None


def is_image(path: str) -> bool:
    """Say whether a name ends like a picture's, in upper or lower case."""
    return path[path.rfind(".") :].lower() in IMAGE_SUFFIXES


def is_visible(path: str) -> bool:
    """Say whether a file is meant: no hidden part (`.DS_Store`, `._a.png`), no folder that systems leave behind."""
    if path.startswith(".") or "/." in path:
        return False
    return not any(part in JUNK_FOLDERS for part in path.split("/")[:-1])


def stem(path: str) -> str:
    """Return a file's name without folders and extension."""
    return without_suffix(path).rpartition("/")[2]


def without_suffix(path: str) -> str:
    """Return a path without its extension."""
    dot = path.rfind(".")
    return path[:dot] if dot > path.rfind("/") + 1 else path


def _is_bookkeeping(path: str) -> bool:
    return path in RUN_FILES or path.partition("/")[0] in RUN_FOLDERS


def _twice(names: Iterable[str]) -> set[str]:
    seen: set[str] = set()
    return {name for name in names if name in seen or seen.add(name)}  # type: ignore[func-returns-value]
