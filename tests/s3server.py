"""A real S3 server over HTTP (moto's) on a free local port, which fails on demand."""

from __future__ import annotations

import logging
import re
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from stylize.retries import Retry
from stylize.storage import Storage

Rule = Callable[[str, str], str]
"""Given method and path, what happens to the request: "" (served), "503", "500", "drop",
"half" (of the answer arrives) or "lost" (the request is carried out, but no answer arrives)."""


class S3Server:
    """A running server; `rule` decides which requests fail, `requests` remembers "METHOD /path" of all."""

    def __init__(self) -> None:
        self.rule: Rule = lambda method, path: ""
        self.requests: list[str] = []
        self._conditional = threading.Lock()  # moto looks and then writes; S3 does both at once
        self.app = DomainDispatcherApplication(create_backend_app)
        self.server = make_server("127.0.0.1", 0, self._serve, threaded=True)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    @property
    def options(self) -> dict[str, Any]:
        """Storage options that lead to this server."""
        return {
            "key": "testing",
            "secret": "testing",
            "endpoint_url": f"http://127.0.0.1:{self.server.port}",
            "client_kwargs": {"region_name": "us-east-1"},
        }

    def storage(self, folder: str = "data", attempts: int = 6) -> Storage:
        """Return a storage in the server's bucket; it retries without waiting."""
        retry = Retry(attempts=attempts, sleep=_no_pause)
        return Storage(f"s3://bucket/{folder}" if folder else "s3://bucket", self.options, retry=retry)

    def count(self, pattern: str) -> int:
        """Return how many requests looked like this."""
        return sum(re.search(pattern, request) is not None for request in self.requests)

    def fail(self, what: str, *, times: int, on: str = "") -> None:
        """Let the next `times` requests whose "METHOD /path" matches `on` fail like `what`."""
        left = [times]
        lock = threading.Lock()

        def rule(method: str, path: str) -> str:
            with lock:
                if left[0] == 0 or not re.search(on, f"{method} {path}"):
                    return ""
                left[0] -= 1
                return what

        self.rule = rule

    def _serve(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        query = environ.get("QUERY_STRING", "")
        self.requests.append(f"{method} {path}" + (f"?{query}" if query else ""))
        what = self.rule(method, path)
        if what in ("503", "500"):
            return _refuse(environ, start_response, what)
        if what == "drop":
            _hang_up(environ)
            start_response("503 dropped", [])  # nobody hears it
            return []
        with self._conditional if "HTTP_IF_NONE_MATCH" in environ else nullcontext():
            answer = list(self.app(environ, start_response))
        if what == "lost":
            b"".join(answer)
            _hang_up(environ)
            return []
        return _half(environ, b"".join(answer)) if what == "half" else answer


def _no_pause(seconds: float) -> None:
    """Stand in for sleep; a plain function, because it travels by pickle."""


def _refuse(environ: dict[str, Any], start_response: Callable[..., Any], status: str) -> list[bytes]:
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    code = {"503": "SlowDown", "500": "InternalError"}[status]
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>Reduce your rate</Message></Error>".encode()
    start_response(f"{status} {code}", [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
    return [body if environ["REQUEST_METHOD"] != "HEAD" else b""]


def _hang_up(environ: dict[str, Any]) -> None:
    environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)


def _half(environ: dict[str, Any], body: bytes) -> Iterator[bytes]:
    yield body[: len(body) // 2]
    _hang_up(environ)


@contextmanager
def running_server() -> Iterator[S3Server]:
    """Run a server with an empty bucket named `bucket`."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = S3Server()
    server.thread.start()
    try:
        server.app(_create_bucket(), lambda *_: None)
        yield server
    finally:
        server.server.shutdown()
        server.thread.join()
        server.server.server_close()


def _create_bucket() -> dict[str, Any]:
    from werkzeug.test import EnvironBuilder

    headers = {"Authorization": "AWS4-HMAC-SHA256 Credential=testing/20240101/us-east-1/s3/aws4_request, Signature=x"}
    return EnvironBuilder(method="PUT", path="/bucket", headers=headers).get_environ()
