"""A session of its own process, to be killed: `python drive.py OUT ENGINE [ADDRESS]` makes 24 slow, tiny units.

The processes that work leave their numbers in `OUT.pids/`.
"""

from __future__ import annotations

import os
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from pipelines import commits
from pipelines.commits import Commit
from pipelines.engines import make_engine
from pipelines.events import Event, WorkersChanged
from pipelines.run import execute
from pipelines.units import Outcome, Unit
from stylize.storage import Storage
from tests.pipelines.helpers import CountingSpec, CountingWorker, counting_print

UNITS = 24


class SlowWorker(CountingWorker):
    """Writes several files per unit, with pauses in which it may be killed."""

    def run(self, unit: Unit) -> Outcome:
        files = []
        for part in range(3):
            time.sleep(random.uniform(0, 0.06))
            data = f"unit {unit.index} part {part} ".encode() * 50_000
            files.append(commits.publish(self.storage, f"shards/{unit.name}-{part}.bin", data))
        commit = Commit(run=self.run_digest, unit=unit.index, rows=2, files=tuple(files))
        return commits.write(self.storage, commit)


class SlowSpec(CountingSpec):
    """Makes `SlowWorker`s."""

    def create(self) -> SlowWorker:
        pids = Path(self.storage.url + ".pids")
        pids.mkdir(exist_ok=True)
        (pids / str(os.getpid())).touch()
        return SlowWorker(self.storage, self.run_digest, None, {})


def drive(out: Path, engine: str, address: str | None = None) -> None:
    storage, print_ = Storage(out), counting_print(UNITS)

    def tell(event: Event) -> None:
        if isinstance(event, WorkersChanged) and event.workers:
            print("working", flush=True)

    spec = SlowSpec(storage, print_.digest, {})
    chosen = make_engine(engine, address=address, workers=2)
    execute(storage, print_, spec, engine=chosen, files={"inputs.parquet": b"rows"}, on_event=tell)


if __name__ == "__main__":
    drive(Path(sys.argv[1]), *sys.argv[2:])
