"""Storage on the local disk and in memory: publication, listing, paths, retries, pickling."""

from __future__ import annotations

import errno
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stylize import storage as storage_module
from stylize.errors import BadInput, ConfigurationError, FatalError, NotFound, StylizeError, TransientError
from stylize.localfiles import TEMPORARY
from stylize.retries import Retry, explain
from stylize.storage import Storage

NAMES = ["plain.txt", "with space/and more.bin", "ünïcödé/東京 #1 100%?.png", "deep/er/and/deeper/x", "a::b*[c].txt"]


@pytest.fixture(params=["local", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    """An empty storage of each kind that needs no server."""
    return Storage(tmp_path / "root" if request.param == "local" else f"memory://{tmp_path.name}/root")


def test_what_is_written_is_read_and_listed(store: Storage) -> None:
    assert store.list() == []
    for name in NAMES:
        store.write(name, name.encode())
    assert store.list() == sorted(NAMES)
    for name in NAMES:
        assert store.read(name) == name.encode()
        assert store.size(name) == len(name.encode())
        assert store.exists(name)


def test_listing_of_folders(store: Storage) -> None:
    for name in ("b/2", "b/1", "a", "b/c/3", "bb/4"):
        store.write(name, b"")
    assert store.list() == ["a", "b/1", "b/2", "b/c/3", "bb/4"]
    assert store.list("b") == ["b/1", "b/2", "b/c/3"]
    assert store.list("b/") == ["b/1", "b/2", "b/c/3"]
    assert store.list("b", recursive=False) == ["b/1", "b/2"]
    assert store.list(recursive=False) == ["a"]
    assert store.list("missing") == []
    assert store.list("a") == []


def test_scanning_gives_what_listing_gives_and_in_its_order(store: Storage) -> None:
    for name in ("a-1.png", "a.png", "a/2", "a/10", "a0", "a/b/c", "Z"):
        store.write(name, b"x")
    assert list(store.scan()) == store.list() == sorted(["a-1.png", "a.png", "a/2", "a/10", "a0", "a/b/c", "Z"])
    assert list(store.scan("a")) == ["a/10", "a/2", "a/b/c"]


class PagedBucket:
    """Lists seven objects, two to a page; each page fails the first time it is asked for."""

    def __init__(self) -> None:
        self.req_kw = {"RequestPayer": "requester"}
        self.asked: list[int] = []

    def split_path(self, path: str) -> tuple[str, str, None]:
        bucket, _, key = path.partition("/")
        return bucket, key, None

    def call_s3(self, method: str, **request: str) -> dict[str, object]:
        assert (method, request["Bucket"], request["Prefix"]) == ("list_objects_v2", "bucket", "data/")
        assert request["RequestPayer"] == "requester"
        first = int(request.get("ContinuationToken", 0))
        self.asked.append(first)
        if self.asked.count(first) == 1:
            raise ConnectionError("reset")
        keys = [{"Key": f"data/{number}"} for number in range(first, min(first + 2, 7))]
        return {"Contents": keys, "IsTruncated": first < 6, "NextContinuationToken": str(first + 2)}


def test_each_page_of_a_bucket_is_repeated_by_itself() -> None:
    bucket = PagedBucket()
    retry = Retry(attempts=2, sleep=lambda seconds: None)
    pages = list(storage_module._pages(bucket, "bucket/data/", retry.run))
    assert [name for page in pages for name in page] == [f"bucket/data/{number}" for number in range(7)]
    assert bucket.asked == [0, 0, 2, 2, 4, 4, 6, 6]


def test_listing_sees_what_others_wrote(store: Storage) -> None:
    other = Storage(store.url, store.options)
    assert store.list("shards") == []
    other.write("shards/0", b"x")
    assert store.list("shards") == ["shards/0"]
    other.remove("shards/0")
    assert store.list("shards") == []
    assert not store.exists("shards/0")


def test_writing_replaces(store: Storage) -> None:
    store.write("a", b"long old content")
    store.write("a", b"new")
    assert store.read("a") == b"new"
    assert store.list() == ["a"]


def test_create_lets_one_of_two_win(store: Storage) -> None:
    assert store.create("lock", b"first")
    assert not store.create("lock", b"second")
    assert store.read("lock") == b"first"
    assert store.list() == ["lock"]


def test_ranges(store: Storage) -> None:
    store.write("a", b"0123456789")
    assert store.read_range("a", 2, 5) == b"234"
    assert store.read_range("a", 7, None) == b"789"
    assert store.read_range("a", None, 3) == b"012"
    assert store.read_range("a", 4, 4) == b""
    assert store.read_range("a", 8, 100) == b"89"


def test_text_and_json(store: Storage) -> None:
    store.write_json("a.json", {"b": [1, 2.5], "a": "ü"})
    assert store.read("a.json") == '{\n  "a": "ü",\n  "b": [\n    1,\n    2.5\n  ]\n}\n'.encode()
    assert store.read_json("a.json") == {"a": "ü", "b": [1, 2.5]}
    assert store.read_text("a.json").startswith("{")
    store.write("bad", b"\xff{")
    with pytest.raises(BadInput, match="not UTF-8"):
        store.read_text("bad")
    store.write("bad", b"{")
    with pytest.raises(BadInput, match="not JSON"):
        store.read_json("bad")
    with pytest.raises(ValueError, match="Out of range"):
        store.write_json("nan.json", float("nan"))


def test_missing_files_are_not_found(store: Storage) -> None:
    store.write("folder/file", b"x")
    for name in ("missing", "folder/missing"):
        assert not store.exists(name)
        with pytest.raises(NotFound, match=f"{name} does not exist"):
            store.read(name)
        with pytest.raises(NotFound):
            store.size(name)
        store.remove(name)
    assert not store.exists("folder")
    with pytest.raises(BadInput):
        store.read("folder")
    assert issubclass(NotFound, BadInput)


@pytest.mark.parametrize("path", ["../a", "a/../../b", "a/..", "/etc/passwd", "", ".", "a\\b", "a\0b"])
def test_paths_stay_inside_the_root(store: Storage, path: str) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: store.read(path),
        lambda: store.write(path, b""),
        lambda: store.create(path, b""),
        lambda: store.remove(path),
        lambda: store.exists(path),
        lambda: store.size(path),
        lambda: store.copy_from(store, "a", path),
    ]
    for call in calls:
        with pytest.raises(BadInput, match="must be relative"):
            call()
    with pytest.raises(BadInput, match="must be relative"):
        store.list("../a")


def test_paths_are_tidied(store: Storage) -> None:
    store.write("./a//b/", b"x")
    assert store.list() == ["a/b"]


def test_copying(store: Storage, tmp_path: Path) -> None:
    store.write("a", b"content")
    store.copy_from(store, "a", "copy/b")
    other = Storage(tmp_path / "elsewhere")
    other.copy_from(store, "a", "c")
    store.copy_from(other, "c", "d")
    assert store.read("copy/b") == other.read("c") == store.read("d") == b"content"
    for target in (store, other):
        with pytest.raises(NotFound, match="missing does not exist"):
            target.copy_from(store, "missing", "x")


def test_sub_storages(store: Storage) -> None:
    store.write("a/b/c", b"x")
    assert store.sub("a/b").list() == ["c"]
    store.sub("a").write("d", b"y")
    assert store.read("a/d") == b"y"


def test_pickles_without_a_live_filesystem(store: Storage) -> None:
    store.write("a", b"x")
    frozen = pickle.dumps(store)
    assert b"FileSystem" not in frozen
    assert pickle.loads(frozen).read("a") == b"x"


def test_repr_hides_the_options() -> None:
    assert "hush" not in repr(Storage("memory://x", {"secret": "hush"}))


def test_another_process_reads_and_the_relative_root_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = Storage("relative")
    store.write("a", b"x")
    monkeypatch.chdir("/")
    code = "import pickle, sys; print(pickle.load(sys.stdin.buffer).read('a'))"
    repository = Path(storage_module.__file__).parents[1]
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        input=pickle.dumps(store),
        capture_output=True,
        cwd=repository,
        check=True,
    )
    assert result.stdout.strip() == b"b'x'"


def test_a_forked_child_makes_its_own_filesystem() -> None:
    store = Storage("memory://forked")
    store.write("a", b"x")
    made = store._backend._made  # type: ignore[union-attr]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "getpid", lambda: 1)
        assert store.read("a") == b"x"
        assert store._backend._made[0] == 1  # type: ignore[index, union-attr]
    assert made is not None
    assert made[0] == os.getpid()


def test_importing_storage_is_light() -> None:
    code = "import sys, stylize.storage; print(any(name in sys.modules for name in ('fsspec', 's3fs', 'torch', 'ray')))"
    repository = Path(storage_module.__file__).parents[1]
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=repository, check=True).stdout
        == b"False\n"
    )


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("s3://", "names no bucket"),
        ("s3://bucket/../other", "not a plain URL"),
        ("", "an empty path"),
    ],
)
def test_unusable_urls(url: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Storage(url)


def test_an_unknown_protocol_names_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match=r"s3://, gs:// or memory://"):
        Storage("nonsense://bucket/a").list()


@pytest.mark.parametrize(("url", "extra"), [("s3://bucket/a", "s3"), ("gs://bucket/a", "gcs")])
def test_a_missing_package_names_its_extra(url: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import fsspec

    def missing(*_: Any, **__: Any) -> None:
        raise ImportError("no module")

    monkeypatch.setattr(fsspec, "filesystem", missing)
    with pytest.raises(FatalError, match=rf'pip install "stylize\[{extra}\]"'):
        Storage(url).read("a")


# --- local disk ---


def test_local_urls(tmp_path: Path) -> None:
    for url in (tmp_path, str(tmp_path), f"file://{tmp_path}", f"{tmp_path}/./"):
        assert Storage(url).local_root == tmp_path
        assert Storage(url).is_local
    assert Storage("~/x").local_root == Path.home() / "x"
    assert Storage("memory://x").local_root is None


def test_a_failing_write_publishes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Storage(tmp_path)
    store.write("a", b"old")

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(FatalError, match="the disk is full; free some space"):
        store.write("a", b"new")
    assert os.listdir(tmp_path) == ["a"]
    assert store.read("a") == b"old"


def test_a_killed_writer_leaves_nothing_that_is_listed(tmp_path: Path) -> None:
    store = Storage(tmp_path)
    store.write("a/b", b"x")
    for name in (f"{TEMPORARY}1", f"a/{TEMPORARY}2"):
        (tmp_path / name).write_bytes(b"half")
    assert store.list() == ["a/b"]
    assert store.remove_leftovers() == 2
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "b"]
    assert store.remove_leftovers() == 0
    assert Storage("memory://x").remove_leftovers() == 0


def test_readers_never_see_half_a_file(tmp_path: Path) -> None:
    store = Storage(tmp_path)
    store.write("a", b"0" * 100_000)
    seen: set[bytes] = set()
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            data = store.read("a")
            seen.add(data[:1] + data[-1:] + str(len(data)).encode())

    reader = threading.Thread(target=watch)
    reader.start()
    for k in range(50):
        store.write("a", bytes([48 + k % 10]) * 100_000)
    done.set()
    reader.join()
    assert seen <= {f"{k}{k}100000".encode() for k in range(10)}


def test_published_files_follow_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        Storage(tmp_path).write("a", b"x")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o644


def test_symbolic_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    Storage(elsewhere).write("b", b"x")
    root = tmp_path / "root"
    Storage(root).write("a/c", b"y")
    (root / "link").symlink_to(elsewhere)
    (root / "a" / "up").symlink_to(root)
    (root / "broken").symlink_to(root / "missing")
    assert Storage(root).list() == ["a/c", "link/b"]


def test_a_file_where_a_folder_belongs(tmp_path: Path) -> None:
    store = Storage(tmp_path)
    store.write("a", b"x")
    with pytest.raises(FatalError, match="move it away"):
        store.write("a/b", b"y")
    with pytest.raises(BadInput):
        store.read("a/b")
    assert not store.exists("a/b")


def test_names_that_are_not_utf8_are_named(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.png")).write_bytes(b"")
    with pytest.raises(FatalError, match=r"b'caf\\xe9.png' is not UTF-8; rename it"):
        Storage(tmp_path).list()


@pytest.mark.skipif(os.getuid() == 0, reason="root may read everything")
def test_permission_denied(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    (tmp_path / "a").chmod(0)
    with pytest.raises(FatalError, match="permission denied"):
        Storage(tmp_path).read("a")


# --- retries ---


class Recorder:
    """Stand in for time and chance."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    def retry(self, attempts: int = 5) -> Retry:
        return Retry(attempts=attempts, base=1.0, cap=5.0, sleep=self.waits.append, random=lambda: 0.5)


def failing(error: Exception, times: int) -> Callable[[], str]:
    left = [error] * times

    def call() -> str:
        if left:
            raise left.pop()
        return "done"

    return call


class ClientPayloadError(Exception):
    """Stand in for aiohttp's, which is known by its name."""


class Answer(Exception):
    """Stand in for botocore's ClientError."""

    def __init__(self, status: int, code: str = "") -> None:
        super().__init__(code or str(status))
        self.response = {"ResponseMetadata": {"HTTPStatusCode": status}, "Error": {"Code": code}}


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


PASSING = [
    Answer(503, "SlowDown"),
    Answer(500),
    Answer(429),
    Answer(400, "RequestTimeout"),
    ConnectionResetError(),
    TimeoutError(),
    ClientPayloadError(),
    OSError(errno.EBUSY, "busy"),
    OSError(errno.ESTALE, "stale handle"),
    caused(OSError(errno.EIO, "unknown"), Answer(502)),
]
LASTING = [
    FileNotFoundError("x"),
    PermissionError("x"),
    OSError(errno.ENOSPC, "full"),
    Answer(403),
    Answer(404),
    KeyError("x"),
]


@pytest.mark.parametrize("error", PASSING, ids=repr)
def test_passing_failures_are_tried_again(error: Exception) -> None:
    recorder = Recorder()
    assert recorder.retry().run(failing(error, 4)) == "done"
    assert recorder.waits == [0.5, 1.0, 2.0, 2.5]  # doubled, capped at 5, and half of it by chance


@pytest.mark.parametrize("error", LASTING, ids=repr)
def test_lasting_failures_are_not(error: Exception) -> None:
    recorder = Recorder()
    with pytest.raises(type(error)):
        recorder.retry().run(failing(error, 1))
    assert recorder.waits == []


def test_retries_end() -> None:
    recorder = Recorder()
    with pytest.raises(TimeoutError):
        recorder.retry(attempts=3).run(failing(TimeoutError(), 99))
    assert len(recorder.waits) == 2
    with pytest.raises(FatalError, match="at least one attempt"):
        recorder.retry(attempts=0).run(lambda: None)


def test_jitter_is_full() -> None:
    waits: list[float] = []
    retry = Retry(attempts=400, base=1.0, cap=1.0, sleep=waits.append)
    with pytest.raises(TimeoutError):
        retry.run(failing(TimeoutError(), 999))
    assert min(waits) < 0.1
    assert max(waits) > 0.9
    assert max(waits) < 1


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (TimeoutError("slow"), TransientError, "run the same command again"),
        (caused(OSError("x"), Answer(503)), TransientError, "run the same command again"),
        (PermissionError("no"), FatalError, "permission denied"),
        (Answer(403, "AccessDenied"), FatalError, "permission denied"),
        (type("NoCredentialsError", (Exception,), {})("none"), FatalError, "--storage-options"),
        (caused(FileNotFoundError("x"), Answer(404, "NoSuchBucket")), FatalError, "bucket or folder does not exist"),
        (FileNotFoundError("x"), NotFound, "a does not exist"),
        (OSError(errno.ENOSPC, "x"), FatalError, "free some space"),
        (OSError(errno.EDQUOT, "x"), FatalError, "quota"),
        (OSError(errno.EROFS, "x"), FatalError, "read-only"),
        (OSError(errno.EMFILE, "x"), FatalError, "ulimit -n"),
        (RuntimeError("two\nlines"), FatalError, "RuntimeError: two lines"),
    ],
    ids=repr,
)
def test_failures_become_ours_with_a_remedy(
    error: Exception, kind: type[StylizeError], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Storage("memory://failures", retry=Retry(attempts=2, sleep=lambda _: None))

    def fail(*_: Any) -> bytes:
        raise error

    monkeypatch.setattr(store._backend, "read", fail)
    with pytest.raises(kind, match=message) as caught:
        store.read("a")
    assert type(caught.value) is kind
    assert "\n" not in str(caught.value)


def test_out_of_memory_stays_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Storage("memory://failures")

    def fail(*_: Any) -> bytes:
        raise MemoryError

    monkeypatch.setattr(store._backend, "read", fail)
    with pytest.raises(MemoryError):
        store.read("a")


def test_an_option_that_the_storage_does_not_know_is_told_as_such() -> None:
    unknown = TypeError("AioSession.__init__() got an unexpected keyword argument 'foo'")
    error = explain(unknown, "list", "s3://bucket/frames")
    assert isinstance(error, ConfigurationError)
    assert "'foo'); correct --storage-options" in str(error)
