"""Simulate a large run: plan, resume, status, manifest and verify of 1,000,000 pictures in 20,000 shards.

The worker does nothing but write a shard (names and hashes) and the commit record of its unit, so all that is
measured is bookkeeping. Every phase is a process of its own, timed, with its peak memory; the same at a tenth of the
size shows what grows faster than the work.

    python benchmarks/scale.py --images 1000000 --units 20000

What has been measured is written after each phase. Killed, it goes on where it was when it is called again: the
simulated run stays in `--folder` until the end.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import shutil
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines import commits
from pipelines.commits import Commit
from pipelines.engine_local import LocalEngine
from pipelines.fingerprint import MANIFEST, Fingerprint, load
from pipelines.mixplan import PLAN, MixPlan
from pipelines.run import execute, manifest_of
from pipelines.status import status
from pipelines.units import Outcome, Unit
from pipelines.verify import verify
from pipelines.worklist import WorkList, work_list
from stylize.cache import INPUTS, CacheInfo, CacheReader, shard_path
from stylize.datasets.folder import LAYOUT
from stylize.datasets.tree import Tree
from stylize.storage import Storage

RESULTS = Path(__file__).parent / "results"
Phase = Callable[[str, int, int], None]
Report = dict[str, dict[str, dict[str, float]]]  # figures by phase and number of images
INFO = CacheInfo(
    height=96, width=128, num_ws=12, w_dim=128, noise_shapes=((96, 24, 32),) * 2, noise="int8", model_sha256="0" * 64
)


@dataclass(frozen=True, kw_only=True)
class NothingSpec:
    """Makes workers that invert nothing."""

    cache: Storage
    run: str

    def create(self) -> NothingWorker:
        """Read the work list, as each worker does."""
        return NothingWorker(self)

    def ids(self, unit: Unit) -> Sequence[str]:  # noqa: ARG002
        """Return no ids: no unit dies here."""
        return ()


class NothingWorker:
    """Writes shards of names and hashes, and their commit records."""

    def __init__(self, spec: NothingSpec) -> None:
        self.spec = spec
        self._work = WorkList(spec.cache.read(INPUTS))

    def run(self, unit: Unit) -> Outcome:
        """Write a unit's two files."""
        ids = [row["id"] for row in self._work.rows(unit.index)]
        table = pa.table({"id": ids, "source_sha256": [f"{zlib.crc32(id.encode()):064x}" for id in ids]})
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, use_dictionary=False, write_statistics=False)
        file = commits.publish(self.spec.cache, shard_path(unit.index), sink.getvalue().to_pybytes())
        now = time.time()
        commit = Commit(run=self.spec.run, unit=unit.index, rows=len(ids), files=(file,), span=(now, now))
        return commits.write(self.spec.cache, commit)

    def close(self) -> None:
        """Nothing to release."""


def paths(images: int) -> Iterator[str]:
    """Yield the listing of a dataset with labels, page by page as storage would, with names as long as real ones."""
    for kind in ("images", "labels"):
        for index in range(images):
            yield f"{kind}/train/drive_{index // 1000:04d}_frame_{index % 1000:06d}.png"


def listing(folder: str, images: int, units: int) -> None:  # noqa: ARG001
    """Read the layout of a listing that storage would give."""
    assert len(LAYOUT.collect(Tree(paths(images))).samples) == images


def session(folder: str, images: int, units: int) -> None:
    """Run `invert` from a listing to the manifest, whatever an earlier session has left to do."""
    storage = Storage(Path(folder) / "cache")
    work = work_list(LAYOUT.collect(Tree(paths(images))).samples, images // units)
    fingerprint = Fingerprint(
        kind="invert",
        configuration={**INFO.as_dict(), "unit_size": images // units},
        weights=INFO.model_sha256,
        inputs=work.sha256,
        rows=work.rows,
        units=work.units,
        sources={"dataset": "nowhere"},
    )
    spec = NothingSpec(cache=storage, run=fingerprint.digest)
    summary = execute(storage, fingerprint, spec, engine=LocalEngine(), files={INPUTS: work.file})
    assert summary.rows == images


def half(folder: str, images: int, units: int) -> None:
    """Continue a run of which every other unit is missing."""
    storage = Storage(Path(folder) / "cache")
    for unit in range(0, units, 2):
        commits.remove(storage, unit)
    session(folder, images, units)


def ask(folder: str, images: int, units: int) -> None:
    """Ask for the status."""
    assert status(os.path.join(folder, "cache")).done.rows == images
    assert units


def rebuild(folder: str, images: int, units: int) -> None:
    """Add up the manifest from the commit records."""
    storage = Storage(Path(folder) / "cache")
    data, totals = manifest_of(storage, load(storage), ())
    assert (totals.units, totals.rows) == (units, images)
    assert data == storage.read(MANIFEST)


def check(folder: str, images: int, units: int) -> None:
    """Verify every byte: of records, names and hashes, since there are no codes."""
    verdict = verify(os.path.join(folder, "cache"))
    assert (verdict.ok, verdict.units) == (True, units)
    assert images


def plan(folder: str, images: int, units: int) -> None:
    """Plan a mix: read names and hashes of all shards, choose exemplars, write the plan."""
    contents = CacheReader(Storage(Path(folder) / "cache"))
    work, pool = MixPlan(split=None, limit=None, per_image=1, seed=0, resized=False).build(contents, None)
    assert (work.rows, work.units, pool) == (images, units, images)
    Storage(folder).write_from(PLAN, work.file)


def open_plan(folder: str, images: int, units: int) -> None:  # noqa: ARG001
    """Open work list and plan and read one unit, as each worker of `mix` does at its start."""
    CacheReader(Storage(Path(folder) / "cache"))
    WorkList(Storage(folder).read(PLAN)).rows(units // 2)


PHASES: dict[str, Phase] = {
    "read the listing": listing,
    "whole run of a worker that does nothing": session,
    "session with nothing left to do": session,
    "session with every other unit missing": half,
    "manifest": rebuild,
    "status": ask,
    "verify": check,
    "plan of a mix": plan,
    "start of a worker of mix": open_plan,
}


def measured(function: Phase, folder: str, images: int, units: int) -> dict[str, float]:
    """Return seconds (wall and of the processor) and peak MB of a phase in a fresh process."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_measure, args=(theirs, function, folder, images, units))
    process.start()
    theirs.close()
    result: dict[str, float] = ours.recv()
    process.join()
    return result


def _measure(pipe: object, function: Phase, folder: str, images: int, units: int) -> None:
    idle, begun, start = _peak(), time.process_time(), time.perf_counter()
    function(folder, images, units)
    seconds, used = time.perf_counter() - start, time.process_time() - begun
    found = {"seconds": round(seconds, 2), "processor": round(used, 2), "MB": round(_peak() - idle)}
    pipe.send(found)  # type: ignore[attr-defined]


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Print and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--units", type=int, default=20_000)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "stylize-scale")
    options = parser.parse_args()
    state = Storage(options.folder)
    known: Report = state.read_json("measured.json") if state.exists("measured.json") else {}
    report: Report = {name: known.get(name, {}) for name in PHASES}
    lock = threading.Lock()

    def measure(images: int, units: int) -> None:
        for name, function in PHASES.items():
            if str(images) not in report[name]:
                found = measured(function, str(options.folder / str(images)), images, units)
                with lock:
                    report[name][str(images)] = found
                    state.write_json("measured.json", report)
                    (RESULTS / "scale.json").write_text(json.dumps(report, indent=2) + "\n")
                    text = markdown(report, options.folder / str(options.images), options.images, options.units)
                    (RESULTS / "scale.md").write_text(text)
            print(f"{images:>9} {name:42} {report[name][str(images)]}", flush=True)

    with ThreadPoolExecutor(2) as both:  # side by side: it is the processor's seconds that count
        for done in both.map(measure, (options.images // 10, options.images), (options.units // 10, options.units)):
            assert done is None
    shutil.rmtree(options.folder)


def markdown(report: Report, folder: Path, images: int, units: int) -> str:
    """Return the figures as a table; phases that are still to come are left empty."""
    lines = [
        "# Scale",
        "",
        f"Made by `python benchmarks/scale.py --images {images} --units {units}`: {images:,} pictures with one label",
        f"each in {units:,} units, and a tenth of that, on a local disk. Seconds are the processor's, because the",
        "machine was shared; memory is the growth over the imported libraries, at its peak.",
        "",
        f"| | {images // 10:,}: s | MB | {images:,}: s | MB | time x | memory x |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, found in report.items():
        small, large = found.get(str(images // 10)), found.get(str(images))
        cells = [f"{part['processor']} | {part['MB']}" if part else " | " for part in (small, large)]
        times = [_ratio(small, large, unit) for unit in ("processor", "MB")]
        lines.append(f"| {name} | {' | '.join(cells + times)} |")
    files = [(name, folder / "cache" / name) for name in (INPUTS, MANIFEST)] + [(PLAN, folder / PLAN)]
    sizes = [f"`{name}` {path.stat().st_size / 1e6:.1f} MB" for name, path in files if path.exists()]
    return "\n".join([*lines, "", f"Files of the larger run: {', '.join(sizes)}."]) + "\n"


def _ratio(small: dict[str, float] | None, large: dict[str, float] | None, unit: str) -> str:
    return f"{large[unit] / small[unit]:.1f}" if small and large and small[unit] else ""


if __name__ == "__main__":
    main()
