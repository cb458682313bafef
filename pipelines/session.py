"""How a run is worked on this time, as against what it makes: on what, how failures count, and who is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO

from pipelines.commits import FileRecord
from pipelines.engines import make_engine
from pipelines.events import Event
from pipelines.fingerprint import Fingerprint
from pipelines.run import execute
from pipelines.summary import Summary
from pipelines.units import WorkerSpec
from stylize.storage import Storage


@dataclass(frozen=True, kw_only=True)
class Session:
    """Those arguments of a stage that may differ from one call to the next that goes on with the same run."""

    device: str | None
    engine: str
    address: str | None
    workers: int | None
    gpus_per_worker: float | None
    io_threads: int | None
    max_failures: int
    retry_failed: bool
    overwrite: bool
    on_event: Callable[[Event], None]

    def execute(
        self,
        storage: Storage,
        fingerprint: Fingerprint,
        spec: WorkerSpec,
        *,
        files: Mapping[str, bytes | IO[bytes]],
        owned: Callable[[Storage], Iterable[str]] | None = None,
        extras: Callable[[], Sequence[FileRecord]] | None = None,
    ) -> Summary:
        """Bring a run to its end; arguments and errors are those of `pipelines.run.execute`."""
        engine = make_engine(
            self.engine,
            workers=self.workers,
            address=self.address,
            gpus_per_worker=self.gpus_per_worker,
            device=self.device,
        )
        return execute(
            storage,
            fingerprint,
            spec,
            engine=engine,
            files=files,
            on_event=self.on_event,
            overwrite=self.overwrite,
            retry_failed=self.retry_failed,
            max_failures=self.max_failures,
            owned=owned,
            extras=extras,
        )
