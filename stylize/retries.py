"""Which storage failures pass by themselves, how long to wait for them, and what to tell the user about the others."""

from __future__ import annotations

import errno
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from stylize.errors import BadInput, ConfigurationError, FatalError, NotFound, StylizeError, TransientError

T = TypeVar("T")

TRANSIENT_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
TRANSIENT_CODES = frozenset(
    {"InternalError", "OperationAborted", "RequestLimitExceeded", "RequestTimeout", "ServiceUnavailable", "SlowDown"}
    | {"ConditionalRequestConflict", "Throttling", "ThrottlingException", "TooManyRequests"}
)
TRANSIENT_ERRNO = frozenset(
    getattr(errno, name)
    for name in (
        "EAGAIN",
        "EBUSY",
        "EINTR",
        "ENETDOWN",
        "ENETUNREACH",
        "EHOSTUNREACH",
        "EREMOTEIO",
        "ESTALE",
        "ETIMEDOUT",
    )
    if hasattr(errno, name)  # not every system has all of them
)
# Errors of botocore, aiohttp, urllib3 and fsspec, by name: importing those here would cost a local run seconds.
TRANSIENT_NAMES = frozenset(
    {"ClientConnectionError", "ClientPayloadError", "ConnectionError", "HTTPClientError", "ServerDisconnectedError"}
    | {"FSTimeoutError", "IncompleteRead", "IncompleteReadError", "ProtocolError", "ResponseParserError"}
)
CREDENTIAL_NAMES = frozenset(
    {"DefaultCredentialsError", "NoCredentialsError", "PartialCredentialsError", "ProfileNotFound", "RefreshError"}
    | {"SSOTokenLoadError", "TokenRetrievalError", "UnauthorizedSSOTokenError"}
)
LOCAL_LIMITS = {
    errno.ENOSPC: "the disk is full; free some space and run the same command again, finished work is kept",
    errno.EDQUOT: "the disk quota is used up; free some space and run the same command again, finished work is kept",
    errno.EMFILE: "too many open files; raise the limit with `ulimit -n 4096`",
    errno.ENFILE: "too many open files on this machine; close some programs",
    errno.EROFS: "the file system is read-only; choose another folder",
    errno.ENAMETOOLONG: "the name is too long for this file system; choose a folder with a shorter path",
}
LASTING = (FileNotFoundError, PermissionError, FileExistsError, IsADirectoryError, NotADirectoryError)


def uniform() -> float:
    """Draw from [0, 1); a plain function, because a `Retry` travels to other processes by pickle."""
    return random.random()


@dataclass(frozen=True, kw_only=True)
class Retry:
    """Exponential backoff with full jitter: attempt n waits uniform(0, min(cap, base * 2^n)) seconds."""

    attempts: int = 7
    base: float = 0.25
    cap: float = 20.0
    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = uniform

    def run(self, call: Callable[[], T]) -> T:
        """Return `call()`, called again after each transient failure; the last failure is raised as it is."""
        for attempt in range(self.attempts):
            try:
                return call()
            except Exception as error:
                if attempt + 1 >= self.attempts or not is_transient(error):
                    raise
                self.sleep(self.random() * min(self.cap, self.base * 2**attempt))
        raise FatalError("retries need at least one attempt: pass Retry(attempts=1) or more")


def chain(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and what caused it; s3fs hides the server's answer in the cause."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__


def status_and_code(error: BaseException) -> tuple[int, str]:
    """Return the HTTP status and the service's error code that an exception carries, or (0, "")."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return int(status), str(response.get("Error", {}).get("Code", ""))
    for name in ("status", "code"):
        value = getattr(error, name, None)
        if isinstance(value, int) or (isinstance(value, str) and value.isdigit()):
            return int(value), ""
    return 0, ""


def is_transient(error: BaseException) -> bool:
    """Say whether trying again may help; never for missing files and missing permissions."""
    if isinstance(error, LASTING):
        return False
    return any(_passes(link) for link in chain(error))


def _passes(error: BaseException) -> bool:
    status, code = status_and_code(error)
    if status in TRANSIENT_STATUS or code in TRANSIENT_CODES:
        return True
    if isinstance(error, ConnectionError | TimeoutError):
        return True
    if isinstance(error, OSError) and error.errno in TRANSIENT_ERRNO:
        return True
    return any(base.__name__ in TRANSIENT_NAMES for base in type(error).__mro__)


def explain(error: Exception, action: str, where: str) -> StylizeError:
    """Return the failure of `action` ("read", "write", "list", ...) on `where` as one of our classes, with a remedy."""
    if isinstance(error, StylizeError):
        return error
    if isinstance(error, FileNotFoundError) and action not in ("write", "copy") and not _no_bucket(error):
        return NotFound(f"{where} does not exist")
    kind, remedy = _judge(error, action)
    return kind(f"cannot {action} {where}: {remedy}")


def _judge(error: Exception, action: str) -> tuple[type[StylizeError], str]:
    said = " ".join(str(error).split()) or type(error).__name__
    number = getattr(error, "errno", None)
    if isinstance(error, FileNotFoundError):
        return FatalError, "the bucket or folder does not exist; create it or correct the name"
    if _has_no_credentials(error):
        return FatalError, f"no usable credentials ({said}); set them in the environment or pass --storage-options"
    if isinstance(error, PermissionError) or any(status_and_code(link)[0] in (401, 403) for link in chain(error)):
        return FatalError, f"permission denied ({said}); check owner and mode, or the credentials"
    if is_transient(error):
        return TransientError, f"still failing after all retries ({said}); run the same command again to continue"
    if isinstance(error, TypeError) and "unexpected keyword argument" in said:  # fsspec's, at the first request
        return ConfigurationError, f"the storage knows no such option ({said}); correct --storage-options"
    if number in LOCAL_LIMITS:
        return FatalError, LOCAL_LIMITS[number]
    if isinstance(error, IsADirectoryError | NotADirectoryError | FileExistsError):
        kind = BadInput if action == "read" else FatalError
        return kind, "there is a folder where a file belongs, or a file where a folder belongs; move it away"
    return FatalError, f"{type(error).__name__}: {said}"


def _no_bucket(error: Exception) -> bool:
    return any(status_and_code(link)[1] == "NoSuchBucket" for link in chain(error))


def _has_no_credentials(error: Exception) -> bool:
    return any(base.__name__ in CREDENTIAL_NAMES for link in chain(error) for base in type(link).__mro__)
