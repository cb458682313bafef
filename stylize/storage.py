"""One class to read, publish and list files on local disks and object stores; the only importer of fsspec."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, TypeVar

from stylize.errors import BadInput, ConfigurationError, FatalError, NotFound
from stylize.localfiles import Ask, LocalFiles
from stylize.packed import PackedReader, parse
from stylize.retries import Retry, chain, explain, status_and_code

T = TypeVar("T")

EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs"}
DEFAULTS: dict[str, dict[str, Any]] = {
    # A listing that another worker has outdated since must never be served from memory.
    "": {"use_listings_cache": False},
    # One connection per file: with more, s3fs asks for the size before each read, and every read costs two requests.
    # botocore's and s3fs' own retries are off, because they would multiply with ours.
    "s3": {
        "max_concurrency": 1,
        "config_kwargs": {"retries": {"total_max_attempts": 1}, "max_pool_connections": 64, "read_timeout": 60},
    },
}


class Storage:
    """A root folder or URL (`s3://`, `gs://`, `file://`, `memory://`); all paths are relative with forward slashes.

    Reads and writes whole files, and reads files inside shards by their address (see `stylize.packed`). A file is
    published at once: on disk by renaming a temporary file, in an object store by one put; a write that fails leaves
    nothing. Storage that throttles or drops connections is asked again with growing pauses. Failures are `NotFound`,
    `BadInput`, `TransientError` (after all retries) or `FatalError`. Safe to share between threads and to pickle;
    another process makes its own connection. `memory://` lives in one process.

    `options` go to the fsspec filesystem (for instance `{"key": ..., "secret": ..., "endpoint_url": ...}`); a local
    folder needs none and ignores them.
    """

    def __init__(
        self, url: str | os.PathLike[str], options: Mapping[str, Any] | None = None, *, retry: Retry | None = None
    ) -> None:
        text = os.fspath(url)
        self.options = dict(options or {})
        self.retry = retry or Retry()
        scheme = re.match(r"^([A-Za-z][A-Za-z0-9+.-]+)://", text)
        self.protocol = scheme.group(1).lower() if scheme else "file"
        self.is_local = self.protocol in ("file", "local")
        self.url = _local_path(text) if self.is_local else _remote_url(text, self.protocol)
        self._backend: LocalFiles | ObjectStore = (
            LocalFiles(self.url) if self.is_local else ObjectStore(self.url, self.protocol, self.options)
        )
        self._packed = PackedReader(self)

    def __repr__(self) -> str:
        return f"Storage({self.url!r})"  # without the options: they may hold secrets

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self.url, self.options, self.retry)

    @property
    def local_root(self) -> Path | None:
        """The folder, when it is on this machine's disk."""
        return Path(self.url) if self.is_local else None

    def locate(self, path: str = "") -> str:
        """Return the absolute path or URL of a file, for messages and for libraries that open files themselves."""
        return self._backend.locate(clean(path) if path else "")

    def sub(self, path: str) -> Storage:
        """Return the storage of a folder below this one."""
        return Storage(self.locate(path), self.options, retry=self.retry)

    def read(self, path: str) -> bytes:
        """Return the bytes of a file; raises `NotFound`."""
        return self.read_range(path, None, None)

    def read_range(self, path: str, start: int | None, end: int | None) -> bytes:
        """Return the bytes of a file from `start` to before `end` (None: its beginning, its end)."""
        address = parse(path)
        if address is not None:
            return self._packed.read(address, start, end)
        name = clean(path)
        return self._do("read", name, lambda: self._backend.read(name, start, end))

    def read_text(self, path: str) -> str:
        """Return a UTF-8 text; raises `NotFound` and `BadInput`."""
        try:
            return self.read(path).decode()
        except UnicodeDecodeError as error:
            raise BadInput(f"{self.locate(path)} is not UTF-8 text: {error.reason} at byte {error.start}") from error

    def read_json(self, path: str) -> Any:
        """Return a parsed JSON file; raises `NotFound` and `BadInput`."""
        try:
            return json.loads(self.read_text(path))
        except ValueError as error:
            raise BadInput(f"{self.locate(path)} is not JSON: {error}") from error

    def write(self, path: str, data: bytes) -> None:
        """Publish a file whole, replacing an older one; folders are made as needed."""
        name = clean(path)
        self._packed.forget(name)
        self._do("write", name, lambda: self._backend.write(name, data))

    def write_from(self, path: str, file: IO[bytes]) -> None:
        """Publish what an open file holds; a local folder copies it, an object store gets it in one put."""
        name = clean(path)
        self._do("write", name, lambda: self._backend.write_from(name, file))

    def create(self, path: str, data: bytes) -> bool:
        """Publish a file unless it exists already; return whether this call made it. For locks: one of two wins.

        The bytes must be the caller's own (a random token): a put whose answer got lost is tried again, and only by its
        bytes can the caller then tell its own file from another's.
        """
        name = clean(path)
        try:
            self._do("write", name, lambda: self._backend.write(name, data, exclusive=True), passing=FileExistsError)
        except FileExistsError:
            with suppress(NotFound):
                return self.read(name) == data
            return False
        return True

    def write_json(self, path: str, obj: Any) -> None:
        """Publish an object as JSON with sorted keys, so that equal objects make equal bytes."""
        text = json.dumps(obj, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
        self.write(path, text.encode() + b"\n")

    def exists(self, path: str) -> bool:
        """Say whether there is a file (not a folder) of this name."""
        name = clean(path)
        try:
            self._do("look up", name, lambda: self._backend.size(name), passing=FileNotFoundError)
        except FileNotFoundError:
            return False
        return True

    def size(self, path: str) -> int:
        """Return the size of a file in bytes; raises `NotFound`."""
        name = clean(path)
        return self._do("look up", name, lambda: self._backend.size(name))

    def list(self, prefix: str = "", recursive: bool = True) -> list[str]:
        """Return the files in the folder `prefix`, sorted, relative to the root; a folder that is missing is empty."""
        return sorted(self._walk(prefix, recursive=recursive))

    def scan(self, prefix: str = "") -> Iterator[str]:
        """Yield what `list` returns, as the storage gives it, a page or a folder at a time: for millions of files.

        Local disks and S3 give files in order of their names; do not rely on it for others.
        """
        return self._walk(prefix, recursive=True)

    def _walk(self, prefix: str, *, recursive: bool) -> Iterator[str]:
        name = clean(prefix) if prefix.strip("/") else ""
        try:  # each request is repeated by itself: among a thousand pages some fail, and not all must come again
            yield from self._backend.walk(name, self.retry.run, recursive=recursive)
        except (MemoryError, RecursionError):
            raise
        except Exception as error:
            raise explain(error, "list", self._backend.locate(name)) from error

    def remove(self, path: str) -> None:
        """Delete a file; one that does not exist is no error, so that a repeated attempt succeeds."""
        name = clean(path)
        try:
            self._do("remove", name, lambda: self._backend.remove(name), passing=FileNotFoundError)
        except FileNotFoundError:
            return

    def remove_leftovers(self, prefix: str = "") -> int:
        """Delete temporary files that killed writers left below `prefix`; only for a run that nobody else writes to."""
        backend, name = self._backend, clean(prefix) if prefix else ""
        return self._do("clean", name, lambda: backend.remove_leftovers(name)) if isinstance(backend, LocalFiles) else 0

    def copy_from(self, other: Storage, src: str, dst: str) -> None:
        """Publish the file `src` of another storage here as `dst`; an object store copies its own objects by itself."""
        source, target = clean(src), clean(dst)
        if (other.protocol, other.options) != (self.protocol, self.options) or self.protocol == "memory":
            self.write(target, other.read(source))
            return
        original = other._backend.locate(source)
        other.size(source)  # so that a missing source is `NotFound`, and not a failing write
        self._do("copy", target, lambda: self._backend.copy(original, target))

    def _do(self, action: str, path: str, call: Callable[[], T], passing: type[Exception] | tuple[()] = ()) -> T:
        try:
            return self.retry.run(call)
        except passing:
            raise
        except (MemoryError, RecursionError):
            raise
        except Exception as error:
            raise explain(error, action, self._backend.locate(path)) from error


class ObjectStore:
    """A bucket or any other filesystem that fsspec knows; made lazily, once per process."""

    def __init__(self, url: str, protocol: str, options: Mapping[str, Any]) -> None:
        self.url = url
        self.protocol = protocol
        self.options = options
        self._lock = threading.Lock()
        self._made: tuple[int, Any, str] | None = None

    def locate(self, path: str) -> str:
        """Return the URL of an object."""
        return f"{self.url}/{path}" if path else self.url

    def read(self, path: str, start: int | None, end: int | None) -> bytes:
        """Return the bytes of an object in one request."""
        if start is not None and end is not None and end <= start:
            return b""
        fs, name = self._open(path)
        data: bytes = fs.cat_file(name, start=start, end=end)
        return data

    def write(self, path: str, data: bytes, *, exclusive: bool = False) -> None:
        """Publish an object in one put (several parts and one completion above 100 MB)."""
        fs, name = self._open(path)
        if not exclusive:
            fs.pipe_file(name, data)
            return
        try:
            fs.pipe_file(name, data, mode="create")
        except Exception as error:  # each backend has its own for "precondition failed"
            if any(status == 412 for status, _ in map(status_and_code, chain(error))):
                raise FileExistsError(name) from error
            raise

    def write_from(self, path: str, file: IO[bytes]) -> None:
        """Publish what an open file holds."""
        file.seek(0)
        self.write(path, file.read())

    def copy(self, source: str, path: str) -> None:
        """Have the store copy the object at the URL `source` by itself."""
        fs, name = self._open(path)
        fs.cp_file(fs._strip_protocol(source), name)

    def size(self, path: str) -> int:
        """Return the size of an object in bytes."""
        fs, name = self._open(path)
        info = fs.info(name, refresh=True)
        if info["type"] != "file":
            raise FileNotFoundError(name)
        return int(info["size"])

    def remove(self, path: str) -> None:
        """Delete an object."""
        fs, name = self._open(path)
        fs.rm_file(name)

    def walk(self, folder: str, ask: Ask, *, recursive: bool) -> Iterator[str]:
        """Yield the objects below a folder; the empty objects that stand for folders in consoles are left out."""
        fs, start = self._open(folder)
        root = start[: len(start) - len(folder)].rstrip("/") + "/"
        inside = start.rstrip("/") + "/"
        paged = recursive and EXTRAS.get(self.protocol) == "s3"
        for page in _pages(fs, inside, ask) if paged else (ask(lambda: _find(fs, start, recursive=recursive)),):
            yield from (name[len(root) :] for name in page if name.startswith(inside) and not name.endswith("/"))

    def _open(self, path: str) -> tuple[Any, str]:
        """Return this process's filesystem and an object's name in it; a forked child must not use its parent's."""
        made = self._made
        if made is None or made[0] != os.getpid():
            with self._lock:
                fs = _filesystem(self.protocol, self.options)
                made = self._made = (os.getpid(), fs, fs._strip_protocol(self.url))
        _, fs, root = made
        return fs, f"{root}/{path}" if path else root


def clean(path: str) -> str:
    """Return a relative path without empty and `.` parts; anything that could leave the root is `BadInput`."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if not parts or path.startswith("/") or ".." in parts or "\0" in path or "\\" in path:
        raise BadInput(f"path {path!r} must be relative, with forward slashes, and stay inside its folder")
    return "/".join(parts)


def _rebuild(url: str, options: Mapping[str, Any], retry: Retry) -> Storage:
    return Storage(url, options, retry=retry)


def _local_path(text: str) -> str:
    bare = re.sub(r"^(file|local)://", "", text, flags=re.IGNORECASE)
    if not bare:
        raise ConfigurationError("an empty path names no folder: use `.` for the current one")
    return os.path.abspath(os.path.expanduser(bare))


def _remote_url(text: str, protocol: str) -> str:
    rest = text.split("://", 1)[1].strip("/")
    if not rest and protocol != "memory":
        raise ConfigurationError(f"{text!r} names no bucket: write {protocol}://bucket/folder")
    if "::" in text or ".." in rest.split("/"):
        raise ConfigurationError(f"{text!r} is not a plain URL: write {protocol}://bucket/folder")
    return f"{protocol}://{rest}"


def _filesystem(protocol: str, options: Mapping[str, Any]) -> Any:
    import fsspec  # here, because its backends cost a second and a local run needs none

    family = EXTRAS.get(protocol, protocol)
    try:
        fs = fsspec.filesystem(protocol, **_merge(_merge(DEFAULTS[""], DEFAULTS.get(family, {})), options))
    except ImportError as error:
        remedy = f'pip install "stylize[{family}]"' if protocol in EXTRAS else str(error)
        raise FatalError(f"{protocol}:// needs a package that is not installed: {remedy}") from error
    except (TypeError, ValueError) as error:
        known = "use a folder, file://, s3://, gs:// or memory://, and options that its fsspec backend knows"
        raise ConfigurationError(f"cannot open {protocol}:// storage ({error}): {known}") from error
    if family == "s3":
        fs.retries = 1
    return fs


def _find(fs: Any, start: str, *, recursive: bool) -> list[str]:
    fs.invalidate_cache()
    try:
        return list(fs.find(start, maxdepth=None if recursive else 1, refresh=True))
    except FileNotFoundError as error:
        if any(code == "NoSuchBucket" for _, code in map(status_and_code, chain(error))):
            raise
        return []


def _pages(fs: Any, folder: str, ask: Ask) -> Iterator[list[str]]:
    """Yield the objects below a folder of S3, a thousand per request; `find` would keep a kilobyte of each."""
    bucket, prefix, _ = fs.split_path(folder)
    going_on: dict[str, str] = {}
    while True:
        request = {"Bucket": bucket, "Prefix": prefix, **fs.req_kw, **going_on}
        page = ask(lambda request=request: fs.call_s3("list_objects_v2", **request))  # type: ignore[misc]
        yield [f"{bucket}/{item['Key']}" for item in page.get("Contents", ())]
        if not page.get("IsTruncated"):
            return
        going_on = {"ContinuationToken": page["NextContinuationToken"]}


def _merge(defaults: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**defaults, **options}
    for key, value in defaults.items():
        if isinstance(value, dict) and isinstance(options.get(key), dict):
            merged[key] = _merge(value, options[key])
    return merged
