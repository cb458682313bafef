"""The command `verify`: every byte of a run against its commit records, and the repair of what is missing or wrong."""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

import numpy as np

from pipelines import commits, worklist
from pipelines.commits import FileRecord
from pipelines.events import Event, ignore
from pipelines.fingerprint import MANIFEST, OWN_FOLDERS, REPORT, RUN, WORK_LISTS, load, stamp
from pipelines.flow import prefetch
from pipelines.lease import LEASE, hold
from pipelines.run import manifest_of
from pipelines.summary import Summary
from stylize.errors import ConfigurationError, NotFound, StylizeError
from stylize.storage import Storage

Problem = Literal["missing", "corrupt", "orphan", "foreign"]
# Where a stage is continued from its run.json: `resume(run, url, **options)` of the module.
STAGES = {"invert": "pipelines.invert", "mix": "pipelines.mix"}
THREADS = 16


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is wrong: a file, why, and the unit it belongs to (None for a file of no unit).

    Problems: "missing", "corrupt", "orphan" (in a folder of ours, but on no record), "foreign" (somebody else's).
    """

    path: str
    problem: Problem
    detail: str
    unit: int | None = None


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What `verify` found. `files` and `bytes` are those on record, `repaired` sums up the session that mended them."""

    url: str
    units: int
    files: int
    bytes: int
    findings: tuple[Finding, ...]
    repaired: Summary | None = None

    @property
    def ok(self) -> bool:
        """Whether the run is whole, perhaps after a repair; foreign files do no harm."""
        return self.repaired is not None or all(finding.problem == "foreign" for finding in self.findings)

    @property
    def exit_code(self) -> int:
        """0 when all is well or was mended, 1 otherwise."""
        return 0 if self.ok else 1


def verify(
    run: str,
    *,
    repair: bool = False,
    engine: str = "auto",
    workers: int | None = None,
    storage_options: Mapping[str, Any] | None = None,
    on_event: Callable[[Event], None] = ignore,
) -> Verdict:
    """Compare every file of a run with its commit records, and list what no record names.

    `repair` takes the records of damaged units away, removes orphans, and runs the stage again from its `run.json`:
    only what is missing is made, and the manifest is written anew.

    Raises:
        ConfigurationError: `run` holds no run.
    """
    storage = Storage(run, storage_options)
    record = load(storage)
    check = _Check(storage, record)
    findings = tuple(check.findings())
    verdict = Verdict(
        url=storage.url, units=int(record["units"]), files=check.files, bytes=check.bytes, findings=findings
    )
    if not repair or verdict.ok:
        return verdict
    stage = import_module(STAGES[record["kind"]])
    stage.check_record(record, storage.url)  # before anything is taken away
    with hold(storage, on_event=on_event):
        _clear(storage, findings)
    options = {"engine": engine, "workers": workers, "storage_options": storage_options, "on_event": on_event}
    summary: Summary = stage.resume(record, storage.url, **options)
    return Verdict(**{**vars(verdict), "repaired": summary})


class _Check:
    """Walks a run's records and files once, counting what it compares."""

    def __init__(self, storage: Storage, run: Mapping[str, Any]) -> None:
        if run["kind"] not in STAGES:
            raise ConfigurationError(f"{storage.url} is a run of {run['kind']!r}, which this version does not know")
        self.storage = storage
        self.run = run
        self.files = self.bytes = 0
        self._known = _Paths([RUN, MANIFEST, LEASE, REPORT, *WORK_LISTS])

    def findings(self) -> Iterator[Finding]:
        """Yield what is wrong with the work list, with units, with the manifest, and files nothing accounts for."""
        yield from self._work_list()
        done = commits.committed(self.storage)
        for unit in sorted(set(range(int(self.run["units"]))) - done):
            yield Finding(path=commits.path_of(unit), problem="missing", detail="the unit is not finished", unit=unit)
        with ThreadPoolExecutor(THREADS, "verify") as pool:
            for unit, files, found in prefetch(pool, self._unit, sorted(done), ahead=2 * THREADS):
                self._count(files)
                self._known.add([commits.path_of(unit)])
                yield from found
        if len(done) == self.run["units"]:
            yield from self._manifest()
        yield from self._strangers()

    def _work_list(self) -> Iterator[Finding]:
        present = [path for path in WORK_LISTS if self.storage.exists(path)]
        if not present:
            yield Finding(path=" or ".join(WORK_LISTS), problem="missing", detail="the work list")
        for path in present:
            try:
                intact = worklist.digest(self.storage.read(path)) == self.run["inputs"]["sha256"]
            except StylizeError:
                intact = False
            if not intact:
                yield Finding(path=path, problem="corrupt", detail="not the rows that run.json was made for")

    def _unit(self, unit: int) -> tuple[int, Sequence[FileRecord], list[Finding]]:
        """Return a unit's files and what is wrong with them."""
        path = commits.path_of(unit)
        try:
            commit = commits.read(self.storage, unit)
        except StylizeError as error:
            return unit, (), [Finding(path=path, problem="corrupt", detail=error.reason, unit=unit)]
        if commit.run != stamp(self.run) or commit.unit != unit:
            return unit, (), [Finding(path=path, problem="corrupt", detail="a record of another run", unit=unit)]
        findings = [finding for file in commit.files if (finding := self._file(file, unit))]
        return unit, commit.files, findings

    def _file(self, file: FileRecord, unit: int | None) -> Finding | None:
        try:
            data = self.storage.read(file.path)
        except NotFound:
            return Finding(path=file.path, problem="missing", detail=f"{file.bytes} bytes", unit=unit)
        if len(data) != file.bytes:
            detail = f"{len(data)} bytes instead of {file.bytes}"
        elif hashlib.sha256(data).hexdigest() != file.sha256:
            detail = "its sha256 is not the recorded one"
        else:
            return None
        return Finding(path=file.path, problem="corrupt", detail=detail, unit=unit)

    def _manifest(self) -> Iterator[Finding]:
        """Compare the manifest with the records, and the files of no unit with the manifest."""
        try:
            data = self.storage.read(MANIFEST)
            extras = [FileRecord(*file) for file in json.loads(data)["extras"]]
        except NotFound:
            yield Finding(path=MANIFEST, problem="missing", detail="all units are done, the run was not ended")
            return
        except (ValueError, KeyError, TypeError):
            yield Finding(path=MANIFEST, problem="corrupt", detail="not readable")
            return
        self._count(extras)
        yield from (finding for extra in extras if (finding := self._file(extra, None)))
        try:
            expected, _ = manifest_of(self.storage, self.run, extras)
        except StylizeError:
            return  # a record is damaged, which has been said
        if data != expected:
            yield Finding(path=MANIFEST, problem="corrupt", detail="not what the commit records add up to")

    def _count(self, files: Sequence[FileRecord]) -> None:
        self.files += len(files)
        self.bytes += sum(file.bytes for file in files)
        self._known.add(file.path for file in files)

    def _strangers(self) -> Iterator[Finding]:
        for path in sorted(self._known.others(self.storage.scan())):
            if path.startswith(OWN_FOLDERS):
                yield Finding(path=path, problem="orphan", detail="no record names it")
            else:
                yield Finding(path=path, problem="foreign", detail="not written by this run; left alone")


class _Paths:
    """Remembers paths by 8 bytes each, since a run may have a hundred million.

    Among so many, a stranger passes for a path of the run once in 10^11 cases; a damaged file is never missed by it.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self._digests = array("Q")
        self.add(paths)

    def add(self, paths: Iterable[str]) -> None:
        """Remember paths."""
        self._digests.extend(map(_digest, paths))

    def others(self, paths: Iterable[str]) -> Iterator[str]:
        """Yield those of the paths that were never added."""
        known = np.sort(np.frombuffer(self._digests, np.uint64))
        for chunk in worklist.chunks(paths, 1 << 16):
            digests = np.array([_digest(path) for path in chunk], np.uint64)
            places = np.searchsorted(known, digests).clip(max=len(known) - 1)
            yield from (chunk[index] for index in np.flatnonzero(known[places] != digests))


def _digest(path: str) -> int:
    return int.from_bytes(hashlib.blake2b(path.encode(errors="surrogateescape"), digest_size=8).digest(), "little")


def _clear(storage: Storage, findings: Sequence[Finding]) -> None:
    """Remove what the next session must make again, and orphans; foreign files stay."""
    for finding in findings:
        if finding.unit is not None:
            commits.remove(storage, finding.unit)
        elif finding.problem == "orphan" or finding.path in WORK_LISTS:
            storage.remove(finding.path)
