"""A session to be killed: `python -m tests.pipelines.drive OUT ENGINE [ADDRESS]` makes 24 slow, tiny units.

The processes that work leave their numbers in `OUT.pids/`.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from pipelines import commits
from pipelines.commits import Commit
from pipelines.engines import make_engine
from pipelines.events import Event, WorkersChanged
from pipelines.run import execute
from pipelines.units import Outcome, Unit
from stylize.storage import Storage
from tests.pipelines.helpers import CountingSpec, CountingWorker, counting_print

REPOSITORY = Path(__file__).resolve().parents[2]
MODULE = "tests.pipelines.drive"
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


def begin(out: Path, *options: str) -> subprocess.Popen[str]:
    """Start a session in a process group of its own and wait until its workers work."""
    session = subprocess.Popen(
        [sys.executable, "-m", MODULE, str(out), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
        env={**os.environ, "RAY_worker_niceness": "0"},
        start_new_session=True,
    )
    while not commits.committed(Storage(out)):
        assert session.poll() is None, session.communicate()[1]
        time.sleep(0.01)
    time.sleep(random.uniform(0, 0.4))
    return session


def workers(out: Path) -> list[int]:
    """Processes that worked on an output."""
    pids = Path(f"{out}.pids")
    return [int(path.name) for path in pids.iterdir()] if pids.is_dir() else []


def alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def all_gone(out: Path) -> None:
    """Wait until no worker of a killed session is left; nobody else is to do that."""
    while any(alive(pid) for pid in workers(out) if pid != os.getpid()):
        time.sleep(0.02)


if __name__ == "__main__":
    # A shell that runs the tests in the background makes all its children deaf to the interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    drive(Path(sys.argv[1]), *sys.argv[2:])
