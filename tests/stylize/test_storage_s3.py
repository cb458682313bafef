"""Storage on a real S3 server over HTTP, with the faults that servers have."""

from __future__ import annotations

import pickle
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from moto.s3.models import s3_backends

from stylize import storage as storage_module
from stylize.errors import FatalError, NotFound, TransientError
from stylize.storage import Storage
from tests.s3server import S3Server, running_server

NAMES = ["plain.txt", "with space/and more.bin", "ünïcödé/東京 #1 100%?.png", "a*[c]+&=.txt"]


@pytest.fixture(scope="module")
def running() -> Iterator[S3Server]:
    with running_server() as server:
        yield server


@pytest.fixture
def server(running: S3Server) -> S3Server:
    running.rule = lambda method, path: ""
    running.requests.clear()
    return running


@pytest.fixture
def store(server: S3Server, request: pytest.FixtureRequest) -> Storage:
    return server.storage(request.node.name.replace("[", "/").replace("]", ""))


def test_what_is_written_is_read_and_listed(store: Storage) -> None:
    assert store.list() == []
    for name in NAMES:
        store.write(name, name.encode() * 100)
    assert store.list() == sorted(NAMES)
    for name in NAMES:
        assert store.read(name) == name.encode() * 100
        assert store.size(name) == len(name.encode()) * 100
        assert store.exists(name)
    assert store.read_range("plain.txt", 2, 5) == b"ain"
    store.remove("plain.txt")
    store.remove("plain.txt")
    assert store.list() == sorted(NAMES[1:])


def test_listing_of_folders(store: Storage) -> None:
    for name in ("b/2", "b/1", "a", "b/c/3", "bb/4"):
        store.write(name, b"x")
    assert store.list("b") == ["b/1", "b/2", "b/c/3"]
    assert store.list("b", recursive=False) == ["b/1", "b/2"]
    assert store.list(recursive=False) == ["a"]
    assert store.list("missing") == []
    assert store.sub("b/c").list() == ["3"]


def test_more_objects_than_one_page(server: S3Server, store: Storage) -> None:
    folder = store.url.removeprefix("s3://bucket/")
    for k in range(1005):  # behind the server's back: a thousand requests would take seconds
        s3_backends["123456789012"]["aws"].put_object("bucket", f"{folder}/{k:04}", b"")
    assert store.list() == [f"{k:04}" for k in range(1005)]
    assert server.count("list-type=2") == 2


def test_a_listing_sees_what_another_process_wrote(server: S3Server, store: Storage) -> None:
    other = Storage(store.url, {**server.options, "default_block_size": 5 * 2**20 + 1})  # a filesystem of its own
    assert store.list("shards") == []
    other.write("shards/0", b"x")
    assert store.list("shards") == ["shards/0"]
    assert store.exists("shards/0")
    other.remove("shards/0")
    assert store.list("shards") == []
    assert not store.exists("shards/0")


def test_one_request_for_a_read_and_one_for_a_write(server: S3Server, store: Storage) -> None:
    store.write("a", b"x" * 100_000)
    assert store.read("a") == b"x" * 100_000
    assert [request.split()[0] for request in server.requests] == ["PUT", "GET"]


def test_missing_files_and_buckets(server: S3Server, store: Storage) -> None:
    assert not store.exists("missing")
    with pytest.raises(NotFound, match=r"^s3://bucket/.*/missing does not exist$"):
        store.read("missing")
    assert server.count("GET .*/missing") == 1  # not found is an answer, no reason to ask again
    nowhere = Storage("s3://nowhere/x", server.options)
    with pytest.raises(FatalError, match="the bucket or folder does not exist"):
        nowhere.write("a", b"")
    with pytest.raises(FatalError, match="the bucket or folder does not exist"):
        nowhere.list()


def test_create_lets_one_of_two_win(server: S3Server, store: Storage) -> None:
    with ThreadPoolExecutor(4) as pool:
        won = list(pool.map(lambda k: store.create("lock", b"owner %d" % k), range(8)))
    assert won.count(True) == 1
    assert store.read("lock") == b"owner %d" % won.index(True)


def test_create_knows_its_own_file_when_the_answer_was_lost(server: S3Server, store: Storage) -> None:
    server.fail("lost", times=1, on="PUT")
    assert store.create("lock", b"mine")
    assert server.count("PUT") == 2
    assert not store.create("lock", b"another's")


def test_an_object_store_copies_its_own_objects(server: S3Server, store: Storage, tmp_path: Path) -> None:
    store.write("a", b"label")
    server.requests.clear()
    store.copy_from(server.storage(store.url.removeprefix("s3://bucket/")), "a", "copy/a")
    assert server.count("GET .*/a$") == 0
    assert store.read("copy/a") == b"label"
    local = Storage(tmp_path)
    local.copy_from(store, "a", "a")
    store.copy_from(local, "a", "back")
    assert store.read("back") == b"label"
    with pytest.raises(NotFound):
        store.copy_from(store, "missing", "b")


@pytest.mark.parametrize("fault", ["503", "500", "drop"])
def test_passing_faults_are_retried_for_every_operation(server: S3Server, store: Storage, fault: str) -> None:
    for method, call in {
        "PUT": lambda: store.write("a", b"x" * 10_000),
        "GET": lambda: store.read("a"),
        "HEAD": lambda: store.size("a"),
        "GET /bucket$": lambda: store.list(),
        "DELETE": lambda: store.remove("a"),
    }.items():
        server.requests.clear()
        server.fail(fault, times=2, on=method)
        call()
        assert len(server.requests) >= 3, method
    server.rule = lambda method, path: ""
    assert store.list() == []


def test_a_download_that_breaks_off_is_repeated(server: S3Server, store: Storage) -> None:
    store.write("a", bytes(range(256)) * 400)
    server.fail("half", times=2, on="GET")
    assert store.read("a") == bytes(range(256)) * 400
    assert server.count("GET") == 3


def test_a_put_that_fails_publishes_nothing_and_keeps_the_old(server: S3Server, store: Storage) -> None:
    store.write("a", b"old")
    server.rule = lambda method, path: "drop" if method == "PUT" else ""
    for name in ("a", "b"):
        with pytest.raises(TransientError, match="run the same command again"):
            store.write(name, b"new" * 10_000)
    assert store.list() == ["a"]
    assert store.read("a") == b"old"


def test_retries_are_counted_once(server: S3Server) -> None:
    store = server.storage("counted", attempts=3)
    server.rule = lambda method, path: "503"
    with pytest.raises(TransientError):
        store.read("a")
    assert server.count("GET") == 3  # and not 3 times those of s3fs times those of botocore


def test_a_server_that_is_not_there(server: S3Server) -> None:
    store = Storage(
        "s3://bucket/a", {**server.options, "endpoint_url": "http://127.0.0.1:9"}, retry=server.storage().retry
    )
    with pytest.raises(TransientError, match="still failing after all retries"):
        store.read("a")


def test_a_slow_reader_and_writer(server: S3Server, store: Storage) -> None:
    def slow(method: str, path: str) -> str:
        time.sleep(0.2)
        return ""

    server.rule = slow
    with ThreadPoolExecutor(16) as pool:
        start = time.monotonic()
        list(pool.map(lambda k: store.write(str(k), b"x"), range(16)))
        elapsed = time.monotonic() - start
    server.rule = lambda method, path: ""
    assert len(store.list()) == 16
    assert elapsed < 16 * 0.2, "threads must not wait for each other's requests"


def test_many_threads_through_a_server_that_fails_often(server: S3Server, store: Storage) -> None:
    chance = random.Random(0)
    server.rule = lambda method, path: chance.choice(["503", "drop", "half"]) if chance.random() < 0.05 else ""

    def round_trip(k: int) -> bool:
        data = f"{k}".encode() * 1000
        store.write(f"shards/{k:03}", data)
        return store.read(f"shards/{k:03}") == data and store.size(f"shards/{k:03}") == len(data)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(round_trip, range(100)))
    assert store.list("shards") == [f"shards/{k:03}" for k in range(100)]


def test_pickles_into_another_process(store: Storage) -> None:
    store.write("a", b"x")
    frozen = pickle.dumps(store)
    assert b"FileSystem" not in frozen
    code = "import pickle, sys; print(pickle.load(sys.stdin.buffer).read('a'))"
    repository = Path(storage_module.__file__).parents[1]
    result = subprocess.run([sys.executable, "-c", code], input=frozen, capture_output=True, cwd=repository, check=True)
    assert result.stdout.strip() == b"b'x'"


def test_users_options_are_kept(server: S3Server) -> None:
    options = {**server.options, "config_kwargs": {"read_timeout": 7}}
    fs, _ = Storage("s3://bucket/a", options)._backend._open("")  # type: ignore[union-attr]
    assert fs.config_kwargs["read_timeout"] == 7
    assert fs.config_kwargs["retries"]["total_max_attempts"] == 1
