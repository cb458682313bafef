"""Files of the local disk: whole reads, atomic writes, listings."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Protocol, TypeVar

from stylize.errors import FatalError

T = TypeVar("T")
TEMPORARY = ".stylize-tmp-"
Identity = tuple[int, int]  # device and inode


class Ask(Protocol):
    """Calls a function, perhaps again when it fails, and returns what it returns."""

    def __call__(self, call: Callable[[], T], /) -> T:
        """Return `call()`."""


class LocalFiles:
    """A folder of the local disk; paths are relative to it and have been checked by `Storage`."""

    def __init__(self, root: str) -> None:
        self.root = root

    def locate(self, path: str) -> str:
        """Return the absolute name of a file."""
        return os.path.join(self.root, path) if path else self.root

    def read(self, path: str, start: int | None, end: int | None) -> bytes:
        """Return the bytes of a file, or those from `start` to before `end`."""
        with open(self.locate(path), "rb") as file:
            file.seek(start or 0)
            return file.read() if end is None else file.read(max(0, end - (start or 0)))

    def write(self, path: str, data: bytes, *, exclusive: bool = False) -> None:
        """Publish a file whole, or not at all."""
        with self._temporary(path, exclusive=exclusive) as file:
            file.write(data)

    def write_from(self, path: str, file: IO[bytes]) -> None:
        """Publish what an open file holds, without holding it in memory."""
        file.seek(0)
        with self._temporary(path) as target:
            shutil.copyfileobj(file, target, 1 << 20)

    def copy(self, source: str, path: str) -> None:
        """Publish a copy of the file `source` of this folder, without holding it in memory."""
        with open(self.locate(source), "rb") as original:
            self.write_from(path, original)

    def size(self, path: str) -> int:
        """Return the size of a file in bytes."""
        name = self.locate(path)
        if not os.path.exists(name) or os.path.isdir(name):
            raise FileNotFoundError(name)
        return os.stat(name).st_size

    def remove(self, path: str) -> None:
        """Delete a file."""
        with suppress(NotADirectoryError):  # a file lies where its folder would be: it does not exist
            os.unlink(self.locate(path))

    def walk(self, folder: str, ask: Ask, *, recursive: bool) -> Iterator[str]:
        """Yield the files below a folder in order; symbolic links are followed, but never in a circle.

        `ask` calls what reads one folder, perhaps again. Only the names of the folders that are open are in memory.
        """
        return (path for path in self._walk(folder, ask, recursive) if not _is_temporary(path))

    def remove_leftovers(self, folder: str) -> int:
        """Delete the temporary files of writers that were killed; return how many there were."""
        leftovers = [path for path in self._walk(folder, lambda call: call(), recursive=True) if _is_temporary(path)]
        for path in leftovers:
            with suppress(FileNotFoundError):
                os.unlink(self.locate(path))
        return len(leftovers)

    def _walk(self, folder: str, ask: Ask, recursive: bool, above: tuple[Identity, ...] = ()) -> Iterator[str]:
        identity, names = ask(lambda: self._names(folder))
        if identity in above:
            return
        for name in names:
            path = f"{folder}/{name}" if folder else name
            if not name.endswith("/"):
                yield path
            elif recursive:
                yield from self._walk(path[:-1], ask, recursive, (*above, identity))

    def _names(self, folder: str) -> tuple[Identity, list[str]]:
        """Return what tells a folder from others, and its entries as they sort in paths: folders end with a slash."""
        try:
            status = os.stat(self.locate(folder))
            with os.scandir(self.locate(folder)) as entries:
                named = ((_utf8(entry.name), entry) for entry in entries)
                found = (name if entry.is_file() else f"{name}/" if entry.is_dir() else "" for name, entry in named)
                return (status.st_dev, status.st_ino), sorted(filter(None, found))
        except (FileNotFoundError, NotADirectoryError):
            return (0, 0), []

    @contextmanager
    def _temporary(self, path: str, *, exclusive: bool = False) -> Iterator[IO[bytes]]:
        target = Path(self.locate(path))
        hidden = target.with_name(TEMPORARY + secrets.token_hex(8))
        try:
            file = open(hidden, "xb")  # noqa: SIM115
        except FileNotFoundError:
            target.parent.mkdir(parents=True, exist_ok=True)
            file = open(hidden, "xb")  # noqa: SIM115
        try:
            with file:
                yield file
            if exclusive:
                os.link(hidden, target)
                os.unlink(hidden)
            else:
                os.replace(hidden, target)
        except BaseException:
            with suppress(OSError):
                os.unlink(hidden)
            raise


def _is_temporary(path: str) -> bool:
    return path.rpartition("/")[2].startswith(TEMPORARY)


def _utf8(name: str) -> str:
    if not name.isascii():
        try:
            name.encode()
        except UnicodeEncodeError as error:
            raise FatalError(f"file name {os.fsencode(name)!r} is not UTF-8; rename it") from error
    return name
