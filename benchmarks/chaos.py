"""Kill workers, the driver and the whole session of `invert` and `mix` on Ray at random moments, and compare the end.

python benchmarks/chaos.py --rounds 10 --out benchmarks/results/chaos.json

Each kind of kill has an output of its own, which sessions work on until ten of them were killed (ten workers, for the
kind "worker") and a last one is left in peace. Then every file must equal those of an undisturbed run on the local
engine, every record but its times, `verify` must find nothing, and no worker may be left. Also a run in a bucket
where one request in twenty fails. Pictures are random, the model is tiny and untrained: this is about files.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pipelines.verify import verify
from stylize.models.bundle import Bundle
from stylize.models.encoder import EncoderConfig
from stylize.models.generator import GeneratorConfig
from tests.pipelines.helpers import write_dataset

GENERATOR = GeneratorConfig(const_size=(3, 4), channels=(8, 8, 8, 8), z_dim=8, w_dim=8)
ENCODER = EncoderConfig(stem=8, widths=(8, 8, 8, 8), pyramid=8, head=8)
SESSION = "import sys, json; from cli.main import run; sys.exit(max(run(c) for c in json.loads(sys.argv[1])))"
UNIT = 2  # pictures
FAULTS = ("503", "500", "drop", "half", "lost")


class Story:
    """The inputs, and how a session on them is started."""

    def __init__(self, folder: Path, pictures: int) -> None:
        self.folder = folder
        self.units = 2 * (pictures // UNIT)  # of both stages
        self.data = write_dataset(folder / "data", [f"0001TP_{number:04d}" for number in range(pictures)])
        self.model = folder / "tiny.safetensors"
        self.model.write_bytes(Bundle.create(GENERATOR, ENCODER, seed=1).to_bytes())

    def start(self, root: str, *options: str) -> subprocess.Popen[str]:
        """Start `invert` and then `mix` below a root, in a process group of their own."""
        common = ["--device", "cpu", "--batch-size", "2", "--workers", "2", *options]
        commands = [
            ["invert", str(self.data), f"{root}/cache", "--model", str(self.model), "--unit-size", str(UNIT), *common],
            ["mix", f"{root}/cache", f"{root}/out", *common],
        ]
        return subprocess.Popen(
            [sys.executable, "-c", SESSION, json.dumps(commands)],
            cwd=Path(__file__).resolve().parents[1],
            env={**os.environ, "RAY_worker_niceness": "0", "OMP_NUM_THREADS": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )


def descendants(pid: int) -> list[int]:
    """Return the processes below one, with what they are called."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found, below = [], {pid}
    while below := {child for child, parent in parents.items() if parent in below}:
        found += sorted(below)
    return found


def hosts(pid: int) -> list[int]:
    """Return the workers of a session: our actors, by the title that Ray gives their processes."""
    return [child for child in descendants(pid) if title(child).startswith("ray::Host")]


def title(pid: int) -> str:
    """Return what a process calls itself, empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].decode()
    except OSError:
        return ""


def committed(root: Path) -> int:
    """Count the units with a record in both stages."""
    return sum(1 for stage in ("cache", "out") for _ in (root / stage / "commits").glob("*.json"))


def torment(story: Story, kind: str, rounds: int) -> dict[str, Any]:
    """Work on one output with sessions that are killed, then with one that is not."""
    root, kills, sessions, begun = story.folder / kind, [], 0, time.monotonic()
    share = story.units // (rounds + 2)
    while len(kills) < rounds:
        session = story.start(str(root), "--engine", "ray")
        sessions += 1
        while len(kills) < rounds:
            if not wait_for(session, root, committed(root) + random.randint(1, share)):
                errors = session.communicate()[1].strip().splitlines()
                why = errors[-1] if session.returncode else "use more --pictures"
                raise SystemExit(f"{kind}: the run ended after {len(kills)} kills: {why}")
            left = hosts(session.pid)
            kills.append(strike(session, kind))
            if kind != "worker":
                session.communicate()
                wait_until_gone(left)
                break
        else:
            session.communicate()
    last = story.start(str(root), "--engine", "ray")
    errors = last.communicate()[1]
    problems = [] if last.returncode == 0 else [errors.strip().splitlines()[-1]]
    return {
        "kills": len(kills),
        "sessions": sessions + 1,
        "committed at each kill": kills,
        "problems": problems + compare(story.folder / "whole", root),
        "seconds": round(time.monotonic() - begun),
    }


def wait_for(session: subprocess.Popen[str], root: Path, count: int) -> bool:
    """Wait until so many units are committed and a random moment more; return whether the session is still running."""
    while committed(root) < count and session.poll() is None:
        time.sleep(0.01)
    time.sleep(random.uniform(0, 0.3))
    return session.poll() is None


def strike(session: subprocess.Popen[str], kind: str) -> int:
    """Kill, and return how many units were committed at that moment."""
    root = Path(json.loads(session.args[3])[0][2]).parent  # type: ignore[index]
    if kind == "worker":
        while not (alive := hosts(session.pid)) and session.poll() is None:
            time.sleep(0.01)
        if alive:
            os.kill(random.choice(alive), signal.SIGKILL)
    elif kind == "driver":
        os.kill(session.pid, signal.SIGKILL)
    else:
        os.killpg(session.pid, signal.SIGKILL)
    return committed(root)


def wait_until_gone(pids: list[int]) -> None:
    """Wait for the end of a killed session's workers; more than a minute is a failure.

    Two agents of Ray's own live on for another minute, until they ask after their parent; they write nothing of ours.
    """
    end = time.monotonic() + 60
    while left := [pid for pid in pids if Path(f"/proc/{pid}").exists()]:
        if time.monotonic() > end:
            raise SystemExit(f"processes {left} outlive their session")
        time.sleep(0.05)


def compare(whole: Path, root: Path) -> list[str]:
    """Return what differs between two roots: every file's bytes, of records all but their times."""
    problems = []
    ours, theirs = (
        {path.relative_to(top).as_posix(): path for path in top.rglob("*") if path.is_file()} for top in (whole, root)
    )
    problems += [f"only in one: {name}" for name in sorted(ours.keys() ^ theirs.keys())]
    for name in sorted(ours.keys() & theirs.keys()):
        if content(ours[name], whole) != content(theirs[name], root):
            problems.append(f"differs: {name}")
    for stage in ("cache", "out"):
        problems += [f"verify: {finding.path}: {finding.detail}" for finding in verify(str(root / stage)).findings]
    return problems


def content(path: Path, root: Path) -> Any:
    """Return what must be equal of a file."""
    if path.parent.name == "commits":
        record = json.loads(path.read_bytes())
        return {name: value for name, value in record.items() if name not in ("seconds", "span")}
    data = path.read_bytes()
    return data.replace(str(root).encode(), b"ROOT") if path.name == "run.json" else data


def bucket(story: Story, engine: str) -> dict[str, Any]:
    """Run both stages in a bucket that fails one request in twenty, and compare with the disk."""
    from stylize.storage import Storage
    from tests.s3server import running_server

    dice, begun = random.Random(1), time.monotonic()
    copy = story.folder / f"bucket-{engine}"
    with running_server() as server:
        server.rule = lambda *_: dice.choice(FAULTS) if dice.random() < 0.05 else ""
        session = story.start("s3://bucket", "--engine", engine, "--storage-options", json.dumps(server.options))
        errors = session.communicate()[1]
        server.rule = lambda *_: ""
        storage = Storage("s3://bucket", server.options)
        for path in storage.list():
            (copy / path).parent.mkdir(parents=True, exist_ok=True)
            (copy / path).write_bytes(storage.read(path).replace(b"s3://bucket", str(copy).encode()))
        requests = len(server.requests)
    problems = [] if session.returncode == 0 else [errors.strip().splitlines()[-1]]
    problems += compare(story.folder / "whole", copy)
    return {"requests": requests, "problems": problems, "seconds": round(time.monotonic() - begun)}


def main() -> None:
    """Run every kind and exit with 1 when anything differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10, help="kills of each kind")
    parser.add_argument("--pictures", type=int, default=120)
    parser.add_argument("--kinds", nargs="*", default=["worker", "driver", "session", "bucket-local", "bucket-ray"])
    parser.add_argument("--out", type=Path, help="write the result here as JSON")
    options = parser.parse_args()
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        story = Story(Path(folder), options.pictures)
        whole = story.start(str(Path(folder) / "whole"), "--engine", "local")
        errors = whole.communicate()[1]
        assert whole.returncode == 0, errors
        for kind in options.kinds:
            run: Callable[[], dict[str, Any]] = (
                (lambda kind=kind: bucket(story, kind.removeprefix("bucket-")))
                if kind.startswith("bucket")
                else (lambda kind=kind: torment(story, kind, options.rounds))
            )
            result[kind] = run()
            print(kind, json.dumps(result[kind]), flush=True)
            if options.out:
                options.out.write_text(json.dumps(result, indent=2) + "\n")
    sys.exit(any(entry["problems"] for entry in result.values()))


if __name__ == "__main__":
    main()
