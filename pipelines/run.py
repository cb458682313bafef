"""Execute a run: claim the output, skip what is committed, let an engine do the rest, write the manifest last.

A stage brings a `Fingerprint` (what the run is), a `WorkerSpec` (how to make a worker anywhere) and its work list:

    fingerprint = Fingerprint(kind="invert", configuration=..., weights=sha256, inputs=work.sha256, ...)
    spec = InvertSpec(cache=storage, run=fingerprint.digest, ...)
    summary = execute(storage, fingerprint, spec, engine=LocalEngine(), files={"inputs.parquet": work.file})
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from typing import IO, Any

from pipelines import commits
from pipelines.commits import Commit, FileRecord
from pipelines.events import Event, RunFinished, RunStarted, UnitDone, ignore, in_turn
from pipelines.fingerprint import MANIFEST, RUN, Fingerprint, claim, refuse_foreign, stamp
from pipelines.lease import hold
from pipelines.summary import Summary, Totals
from pipelines.units import Engine, Outcome, Unit, WorkerSpec
from stylize.errors import FatalError
from stylize.storage import Storage


def execute(
    storage: Storage,
    fingerprint: Fingerprint,
    spec: WorkerSpec,
    *,
    engine: Engine,
    files: Mapping[str, bytes | IO[bytes]],
    on_event: Callable[[Event], None] = ignore,
    overwrite: bool = False,
    retry_failed: bool = False,
    max_failures: int = 0,
    owned: Callable[[Storage], Iterable[str]] | None = None,
    extras: Callable[[], Sequence[FileRecord]] | None = None,
) -> Summary:
    """Bring a run to its end, from wherever an earlier session left it, and return its totals.

    Args:
        storage: the output; its `run.json` must be absent or of the same fingerprint.
        spec: makes workers; they stamp their commit records with `fingerprint.digest`.
        files: work lists by path, as bytes or open files, written once the output is claimed and before the first unit.
        overwrite: remove an earlier run in `storage` first.
        retry_failed: also run the units that have failures, for their failed inputs only.
        max_failures: more failed inputs than this give the summary exit code 3; the run goes to its end all the same.
        owned: names further files of an earlier run that `overwrite` may remove (see `fingerprint.claim`).
        extras: called when all units are done, writes what belongs to no unit (a sheet, a class list), returns records.

    Raises:
        ConfigurationError: the output belongs to another run or to somebody else, or another session is at work.
        FatalError: going on makes no sense; what is committed stays.
    """
    start, tell = time.monotonic(), in_turn(on_event)
    if not storage.exists(RUN):
        refuse_foreign(storage)  # before a file of ours is put there
    with hold(storage, on_event=tell) as lease:
        claim(storage, fingerprint, overwrite=overwrite, owned=owned)
        units = _todo(storage, fingerprint, retry_failed=retry_failed)
        _prepare(storage, files, reopened=bool(units))
        skipped = fingerprint.units - len(units)
        begun = {"units": fingerprint.units, "done": skipped, "todo": len(units), "inputs": fingerprint.rows}
        tell(RunStarted(kind=fingerprint.kind, **begun))
        with closing(engine.run(spec, units, tell)) as outcomes:
            for outcome in outcomes:
                lease.check()
                if outcome.poisoned:
                    _commit_poison(storage, fingerprint, outcome)
                tell(UnitDone(outcome=outcome))
        lease.check()
        totals = _end(storage, fingerprint, extras() if extras else ())
    elapsed = time.monotonic() - start
    summary = totals.summary(
        kind=fingerprint.kind, url=storage.url, skipped=skipped, elapsed=elapsed, max_failures=max_failures
    )
    tell(RunFinished(summary=summary))
    return summary


def _todo(storage: Storage, fingerprint: Fingerprint, *, retry_failed: bool) -> Sequence[Unit]:
    """Return the units without a record, by one listing, and those with failures when these are to be tried again."""
    done = commits.committed(storage)
    failed = {c.unit for c in commits.read_many(storage, sorted(done)) if c.failures} if retry_failed else set()
    return [
        Unit(index=index, retry=index in failed)
        for index in range(fingerprint.units)
        if index not in done or index in failed
    ]


def _prepare(storage: Storage, files: Mapping[str, bytes | IO[bytes]], *, reopened: bool) -> None:
    """Write the work lists that are missing; a run with units ahead is unfinished, so it has no manifest."""
    for path, data in files.items():
        if storage.exists(path):
            continue
        if isinstance(data, bytes):
            storage.write(path, data)
        else:
            storage.write_from(path, data)
    if reopened:
        storage.remove(MANIFEST)


def _commit_poison(storage: Storage, fingerprint: Fingerprint, outcome: Outcome) -> None:
    """Record a unit that was given up, unless a record with its good rows is still there."""
    if not storage.exists(commits.path_of(outcome.unit)):
        run, now = fingerprint.digest, time.time()
        commit = Commit(run=run, unit=outcome.unit, rows=0, files=(), failures=outcome.failures, span=(now, now))
        commits.write(storage, commit)


def manifest_of(storage: Storage, run: Mapping[str, Any], extras: Sequence[FileRecord]) -> tuple[bytes, Totals]:
    """Return the bytes of `manifest.json` as the commit records give it, the same however the run came about.

    One line per unit (index, rows, bytes, digest of its files and failures) and one per failure (unit, id, kind,
    reason). `run` is the loaded `run.json`. Raises `FatalError` when a record is of another run.
    """
    totals, own = Totals(), stamp(run)
    shards: list[tuple[int, int, int, str]] = []
    failures: list[tuple[int, str, str, str]] = []
    for commit in commits.read_many(storage, range(run["units"])):
        if commit.run != own:
            raise FatalError(f"unit {commit.unit} in {storage.url} was made by another run; pass --overwrite")
        totals.add(commit)
        shards.append((commit.unit, commit.rows, commit.bytes, commit.digest))
        failures.extend((commit.unit, f.id, f.kind, f.reason) for f in commit.failures)
    manifest = {
        "bytes": totals.bytes,
        "extras": [list(record) for record in extras],
        "failures": failures,
        "kind": run["kind"],
        "rows": totals.rows,
        "run": own,
        "shards": shards,
        "units": run["units"],
    }
    return commits.dump(manifest), totals


def _end(storage: Storage, fingerprint: Fingerprint, extras: Sequence[FileRecord]) -> Totals:
    storage.remove_leftovers()  # of writers that were killed in an earlier session
    manifest, totals = manifest_of(storage, fingerprint.record(), extras)
    storage.write(MANIFEST, manifest)
    return totals
