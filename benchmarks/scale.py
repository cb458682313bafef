"""Simulate a large run: plan, resume, status, manifest and verify of 1,000,000 pictures in 20,000 shards.

The worker does nothing but write a shard (names and hashes) and the commit record of its unit, so all that is
measured is bookkeeping. Every phase is a process of its own, timed, with its peak memory; the same at a tenth of the
size shows what grows faster than the work.

    python benchmarks/scale.py --images 1000000 --units 20000
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import tempfile
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines import commits
from pipelines.commits import Commit
from pipelines.engine_local import LocalEngine
from pipelines.fingerprint import Fingerprint
from pipelines.invert import work_list
from pipelines.mixplan import MixPlan
from pipelines.run import execute
from pipelines.status import status
from pipelines.units import Outcome, Unit
from pipelines.verify import verify
from pipelines.worklist import WorkList
from stylize.cache import INPUTS, CacheInfo, CacheReader, shard_path
from stylize.datasets.folder import LAYOUT
from stylize.datasets.tree import Tree
from stylize.storage import Storage

RESULTS = Path(__file__).parent / "results"
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


def paths(images: int) -> list[str]:
    """Return the listing of a dataset with labels, as long as a real one's names."""
    return [
        f"{kind}/train/drive_{index // 1000:04d}_frame_{index % 1000:06d}.png"
        for kind in ("images", "labels")
        for index in range(images)
    ]


def listing(folder: str, images: int, units: int) -> None:  # noqa: ARG001
    """Read the layout of a listing that storage would give."""
    LAYOUT.collect(Tree(paths(images)))


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
    summary = execute(storage, fingerprint, spec, engine=LocalEngine(), files={INPUTS: work.data})
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


def check(folder: str, images: int, units: int) -> None:  # noqa: ARG001
    """Verify every byte."""
    assert verify(os.path.join(folder, "cache")).ok


def plan(folder: str, images: int, units: int) -> None:  # noqa: ARG001
    """Plan a mix: read names and hashes of all shards, choose exemplars, write the plan."""
    contents = CacheReader(Storage(Path(folder) / "cache"))
    work, _ = MixPlan(split=None, limit=None, per_image=1, seed=0, resized=False).build(contents, None)
    Path(folder, "plan.parquet").write_bytes(work.data)
    assert work.rows == images


def open_plan(folder: str, images: int, units: int) -> None:  # noqa: ARG001
    """Open work list and plan and read one unit, as each worker of `mix` does at its start."""
    CacheReader(Storage(Path(folder) / "cache"))
    WorkList(Path(folder, "plan.parquet").read_bytes()).rows(units // 2)


PHASES: dict[str, Callable[[str, int, int], None]] = {
    "read the listing": listing,
    "whole run of a worker that does nothing": session,
    "session with nothing left to do": session,
    "session with every other unit missing": half,
    "status": ask,
    "verify": check,
    "plan of a mix": plan,
    "start of a worker of mix": open_plan,
}


def measured(function: Callable[[str, int, int], None], folder: str, images: int, units: int) -> dict[str, float]:
    """Return seconds (wall and of the processor) and peak MB of a phase in a fresh process."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_measure, args=(theirs, function, folder, images, units))
    process.start()
    theirs.close()
    result: dict[str, float] = ours.recv()
    process.join()
    return result


def _measure(pipe: object, function: Callable[[str, int, int], None], folder: str, images: int, units: int) -> None:
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
    options = parser.parse_args()
    sizes = ((options.images // 10, options.units // 10), (options.images, options.units))
    report: dict[str, dict[str, dict[str, float]]] = {}
    for images, units in sizes:
        with tempfile.TemporaryDirectory() as folder:
            for name, function in PHASES.items():
                found = measured(function, folder, images, units)
                report.setdefault(name, {})[str(images)] = found
                print(f"{images:>9} {name:42} {found}", flush=True)
            report.setdefault("plan.parquet, MB", {})[str(images)] = {
                "MB": round(Path(folder, "plan.parquet").stat().st_size / 1e6, 1)
            }
    (RESULTS / "scale.json").write_text(json.dumps(report, indent=2) + "\n")
    (RESULTS / "scale.md").write_text(markdown(report, options.images, options.units))


def markdown(report: dict[str, dict[str, dict[str, float]]], images: int, units: int) -> str:
    """Return the figures as a table."""
    lines = [
        "# Scale",
        "",
        f"Made by `python benchmarks/scale.py --images {images} --units {units}`, local disk; processor seconds count",
        "(the machine was shared), memory is the growth over the imported libraries. Last column: a tenth of the size.",
        "",
        f"| | seconds | processor | MB | processor at {images // 10:,} |",
        "|---|---|---|---|---|",
    ]
    for name, found in report.items():
        large, small = found[str(images)], found[str(images // 10)]
        if "seconds" in large:
            row = (large["seconds"], large["processor"], large["MB"], small["processor"])
            lines.append(f"| {name} | {' | '.join(map(str, row))} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
