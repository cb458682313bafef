"""One session at a time per output: a small file that its holder keeps alive, and that a dead holder loses.

`session.json` holds who writes (host, process, a random token) and a beat that the holder counts up every few seconds.
It is created exclusively, so of two sessions that start at the same moment one wins, and goes when the session ends.
When a killed session left it behind, the next one on the same host sees that the process is gone, even if another has
its number by now, as in a container that was started again. On another host it watches the beat, which needs no
agreement of clocks, and takes over when it has stood still for long enough.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pipelines.events import Event, Note, ignore
from stylize.errors import BadInput, ConfigurationError, FatalError, NotFound, StylizeError
from stylize.storage import Storage

LEASE = "session.json"
BEAT = 5.0  # seconds between two beats
DEAD = 30.0  # seconds without a beat after which a holder on another host is taken to be gone


class Lease:
    """The right to write to an output; `check` tells whether it still holds."""

    def __init__(self, storage: Storage, beat: float) -> None:
        self._storage = storage
        self._token = secrets.token_hex(8)
        self._beats = 0
        self._every = beat
        self._lost = False
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)

    def check(self) -> None:
        """Raise `FatalError` when another session took over, as after this machine slept."""
        if self._lost:
            raise FatalError(f"another session took over {self._storage.url}: this one stops; its finished units stay")

    def take(self) -> bool:
        """Create the file if nobody holds it; return whether that worked."""
        taken = self._storage.create(LEASE, self._record())
        if taken:
            self._thread.start()
        return taken

    def release(self) -> None:
        """Stop beating and remove the file, if it is still ours."""
        self._end.set()
        self._thread.join()
        with suppress(StylizeError):  # the run's own error, if any, is the one to tell
            if self._ours():
                self._storage.remove(LEASE)

    def _keep(self) -> None:
        while not self._end.wait(self._every):
            with suppress(StylizeError):  # the storage has its moments; the next beat will do
                self._lost = not self._ours()
                if self._lost:
                    return
                self._beats += 1
                self._storage.write(LEASE, self._record())

    def _ours(self) -> bool:
        return bool(_read(self._storage).get("token") == self._token)

    def _record(self) -> bytes:
        who = {"beat": self._beats, "host": socket.gethostname(), "machine": machine(), "token": self._token}
        process = {"born": born(os.getpid()), "pid": os.getpid()}
        return json.dumps(who | process, sort_keys=True).encode() + b"\n"


@contextmanager
def hold(
    storage: Storage, *, on_event: Callable[[Event], None] = ignore, beat: float = BEAT, dead: float = DEAD
) -> Iterator[Lease]:
    """Hold the lease of an output while the block runs.

    Raises:
        ConfigurationError: another session is at work there.
    """
    lease = Lease(storage, beat)
    while not lease.take():
        _outlive(storage, on_event, dead)
    try:
        yield lease
    finally:
        lease.release()


def held(storage: Storage) -> bool:
    """Say whether a session holds the output, as far as one look tells: one that died on another host counts."""
    holder = _read(storage)
    return bool(holder) and not _process_is_gone(holder)


def _outlive(storage: Storage, on_event: Callable[[Event], None], dead: float) -> None:
    """Remove the file of a holder that is gone; raise `ConfigurationError` when there is life in it."""
    holder = _read(storage)
    if not holder:
        return  # it has just ended
    if _process_is_gone(holder):
        _remove(storage, holder)
        return
    where = f"host {holder.get('host')}, process {holder.get('pid')}"
    if holder.get("machine") != machine():
        on_event(Note(text=f"waiting {dead:.0f} s to see whether the session of {where} is still alive"))
        if _stands_still(storage, holder, dead):
            _remove(storage, holder)
            return
    raise ConfigurationError(f"another session ({where}) is writing to {storage.url}: wait until it has ended")


def _remove(storage: Storage, holder: dict[str, Any]) -> None:
    if _read(storage) == holder:  # else somebody was quicker, and the file is theirs
        storage.remove(LEASE)


def machine() -> str:
    """Return what process numbers belong to: this start of this machine, and this container of it."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return socket.gethostname()  # no Linux


def born(pid: int) -> str:
    """Return when a process began, in ticks of the machine; empty when it is gone or the system does not tell."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""


def _process_is_gone(holder: dict[str, Any]) -> bool:
    if holder.get("machine") != machine():
        return False
    if holder.get("born") != born(int(holder["pid"])):
        return True
    try:
        os.kill(int(holder["pid"]), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _stands_still(storage: Storage, holder: dict[str, Any], dead: float) -> bool:
    """Watch the file; return whether it was the same, or gone, all that time."""
    end = time.monotonic() + dead
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(1.0, left))
        if _read(storage) not in ({}, holder):
            return False
    return True


def _read(storage: Storage) -> dict[str, Any]:
    """Return the record; empty when there is none, without a host when it is damaged."""
    try:
        return dict(storage.read_json(LEASE))
    except NotFound:
        return {}
    except (BadInput, ValueError, TypeError):
        return {"damaged": True}
