"""Storage on Google Cloud Storage's API over HTTP, as an emulator speaks it."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

import pytest

for package in ("gcsfs", "gcp_storage_emulator"):  # found and not imported: the server sets what gcsfs reads then
    if find_spec(package) is None:
        pytest.skip(f"needs {package}", allow_module_level=True)

from stylize.errors import NotFound  # noqa: E402
from stylize.storage import Storage  # noqa: E402
from tests.gcsserver import GcsServer, running_server  # noqa: E402

NAMES = ["plain.txt", "with space/and more.bin", "ünïcödé/東京 #1 100%?.png", "a*[c]+&=.txt"]


@pytest.fixture(scope="module")
def running() -> Iterator[GcsServer]:
    with running_server() as server:
        yield server


@pytest.fixture
def server(running: GcsServer) -> GcsServer:
    running.failing.clear()
    running.requests.clear()
    return running


@pytest.fixture
def store(server: GcsServer, request: pytest.FixtureRequest) -> Storage:
    return server.storage(request.node.name)


def test_what_is_written_is_read_and_listed(store: Storage) -> None:
    assert store.list() == []
    for name in NAMES:
        store.write(name, name.encode() * 100)
    assert store.list() == sorted(NAMES)
    assert store.list(recursive=False) == ["a*[c]+&=.txt", "plain.txt"]
    for name in NAMES:
        assert store.read(name) == name.encode() * 100
        assert store.size(name) == len(name.encode()) * 100
        assert store.exists(name)
    assert store.read_range("plain.txt", 2, 5) == b"ain"
    store.remove("plain.txt")
    store.remove("plain.txt")
    assert store.list() == sorted(NAMES[1:])


def test_what_is_not_there_is_not_found(store: Storage) -> None:
    with pytest.raises(NotFound, match=r"gs://bucket/.*/none does not exist"):
        store.read("none")
    assert not store.exists("none")


def test_a_write_is_one_put_and_replaces_the_whole_file(server: GcsServer, store: Storage) -> None:
    store.write("a", b"long and old")
    server.requests.clear()
    store.write("a", b"new")
    assert [request.split(" ")[0] for request in server.requests] == ["POST"]
    assert store.read("a") == b"new"


def test_one_of_two_who_create_a_file_wins(store: Storage) -> None:
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda number: store.create("lock", b"token %d" % number), range(8)))
    assert won.count(True) == 1
    assert store.read("lock") == b"token %d" % won.index(True)
    assert store.create("lock", store.read("lock"))  # its own, whose answer got lost


def test_servers_that_throttle_are_asked_again(server: GcsServer, store: Storage) -> None:
    server.failing = [503]
    store.write("a", b"x")
    server.failing = [429]
    assert store.read("a") == b"x"
    assert len(server.requests) == 4


def test_the_store_copies_its_own_objects(server: GcsServer, store: Storage) -> None:
    store.write("a/b", b"x")
    server.requests.clear()
    store.sub("copy").copy_from(store, "a/b", "c")
    assert store.read("copy/c") == b"x"
    assert any("/rewriteTo/" in request or "/copyTo/" in request for request in server.requests)


def test_a_pickled_storage_reads_the_same(store: Storage) -> None:
    store.write("a", b"x")
    assert pickle.loads(pickle.dumps(store)).read("a") == b"x"
