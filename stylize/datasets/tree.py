"""What every layout shares: what a sample is, and the tree of files that samples are found in."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from stylize.datasets.names import Files, Names
from stylize.images import IMAGE_SUFFIXES
from stylize.packed import inner

JUNK_FOLDERS = frozenset({"__MACOSX", "@eaDir", "lost+found"})
RUN_FOLDERS = frozenset({"commits", "provenance", "shards", "report", "sheets"})
RUN_FILES = frozenset(
    {"run.json", "manifest.json", "session.json", "sheet.png", "report.html", "inputs.parquet", "plan.parquet"}
)


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
        self.paths = Names.in_order(filter(is_visible, paths))
        self.tops = _tops(self.paths)
        if "run.json" in self.tops.get("", ()):
            self.paths = Names(path for path in self.paths if not _is_bookkeeping(path))
            self.tops = _tops(self.paths)

    def files(self, top: str) -> Iterator[tuple[int, str]]:
        """Yield the files of one of the first folders, with their numbers in the listing."""
        return self.tops[top].numbered() if top in self.tops else iter(())

    def images(self, top: str) -> Iterator[tuple[int, str]]:
        """Yield the pictures among the files of one of the first folders, with their numbers in the listing."""
        return ((number, path) for number, path in self.files(top) if is_image(path))

    def below(self, top: str) -> Tree:
        """Return the tree as seen from one of its first folders."""
        return Tree(path.partition("/")[2] for path in self.tops[top])


def is_image(path: str) -> bool:
    """Say whether a name ends like a picture's, in upper or lower case."""
    return path[path.rfind(".") :].lower() in IMAGE_SUFFIXES


def is_visible(path: str) -> bool:
    """Say whether a file is meant: no hidden part (`.DS_Store`, `._a.png`), no folder that systems leave behind."""
    if path.startswith(".") or "/." in path:
        return False
    return not any(part in JUNK_FOLDERS for part in path.split("/")[:-1])


def sample_id(image: str) -> str:
    """Return the id of a sample from the path or address of its picture."""
    return without_suffix(inner(image))


def stem(path: str) -> str:
    """Return a file's name without folders and extension."""
    return without_suffix(path).rpartition("/")[2]


def without_suffix(path: str) -> str:
    """Return a path without its extension."""
    dot = path.rfind(".")
    return path[:dot] if dot > path.rfind("/") + 1 else path


def _is_bookkeeping(path: str) -> bool:
    return path in RUN_FILES or path.partition("/")[0] in RUN_FOLDERS


def _tops(names: Names) -> dict[str, Files]:
    """Return the files of each first folder; but for those of the root they stand together, since names are sorted."""
    tops: dict[str, Files] = {}
    root = array("I")
    number = 0
    for top, files in groupby(names, key=_first_folder):
        span = range(number, number + sum(1 for _ in files))
        number = span.stop
        if top:
            tops[top] = Files(names, span)
        else:
            root.extend(span)
    return {**tops, "": Files(names, root)} if root else tops


def _first_folder(path: str) -> str:
    return path.partition("/")[0] if "/" in path else ""
