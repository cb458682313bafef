"""A Google Cloud Storage emulator over HTTP on a free local port, which fails on demand."""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import ThreadingHTTPServer
from typing import Any

# Read when gcsfs is imported: its gRPC client asks for the kind of each bucket, which no emulator answers.
os.environ["GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"] = "false"

from gcp_storage_emulator.server import RequestHandler as Emulated
from gcp_storage_emulator.server import Router, create_server

from stylize.retries import Retry
from stylize.storage import Storage


class GcsServer:
    """A running emulator with an empty bucket named `bucket`; `requests` remembers "METHOD /path?query" of all."""

    def __init__(self) -> None:
        self.emulator = create_server("127.0.0.1", 0, in_memory=True, default_bucket="bucket")
        self.requests: list[str] = []
        self.failing: list[int] = []  # statuses of the next requests that go to objects
        self.lock = threading.Lock()
        # Its own server handles one connection at a time, and an idle one keeps all others out.
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, self, self.emulator._storage))
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def storage(self, folder: str) -> Storage:
        """Return a storage in the server's bucket; it retries without waiting (gcsfs itself waits before that)."""
        options = {"endpoint_url": f"http://127.0.0.1:{self.server.server_port}", "token": "anon", "project": "p"}
        return Storage(f"gs://bucket/{folder}", options, retry=Retry(attempts=3, sleep=_no_pause))


class _Handler(Emulated):
    def __init__(self, owner: GcsServer, storage: Any, *args: Any) -> None:
        self.owner = owner
        super().__init__(storage, *args)

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PUT = do_DELETE = do_GET

    def _serve(self) -> None:
        owner = self.owner
        owner.requests.append(f"{self.command} {self.path}")
        with owner.lock:  # its storage is not meant for threads
            if owner.failing:
                self._refuse(owner.failing.pop(0))
            elif "ifGenerationMatch=0" in self.path and self._exists():
                self._refuse(412)  # the emulator knows no preconditions
            else:
                Router(self).handle(self.command)

    def _exists(self) -> bool:
        """Say whether the object is there that the body, looked at and not read, is about to make."""
        name = re.search(rb'"name": "([^"]*)"', self.rfile.peek())
        return name is not None and name[1].decode() in self.storage.objects.get("bucket", {})

    def _refuse(self, status: int) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()


def _no_pause(seconds: float) -> None:
    """Stand in for sleep; a plain function, because it travels by pickle."""


@contextmanager
def running_server() -> Iterator[GcsServer]:
    """Run an emulator."""
    logging.getLogger("gcp_storage_emulator").setLevel(logging.CRITICAL)
    server = GcsServer()
    server.thread.start()
    try:
        yield server
    finally:
        server.server.shutdown()
        server.thread.join()
        server.server.server_close()
