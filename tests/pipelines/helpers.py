"""Tiny pictures and datasets, and a stage that only counts: what the tests of the stages share."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipelines import commits
from pipelines.commits import Commit
from pipelines.fingerprint import Fingerprint
from pipelines.units import Outcome, Unit
from stylize.images import encode
from stylize.storage import Storage


def picture(seed: int, height: int = 30, width: int = 40) -> np.ndarray:
    """A smooth random picture [H, W, 3]."""
    rng = np.random.default_rng(seed)
    corners = rng.integers(0, 256, (3, 4, 3)).astype(np.float64)
    rows = np.linspace(0, 2, height)[:, None]
    columns = np.linspace(0, 3, width)[None]
    top, left = np.minimum(rows.astype(int), 1), np.minimum(columns.astype(int), 2)
    dy, dx = (rows - top)[..., None], (columns - left)[..., None]
    upper = corners[top, left] * (1 - dx) + corners[top, left + 1] * dx
    lower = corners[top + 1, left] * (1 - dx) + corners[top + 1, left + 1] * dx
    return (upper * (1 - dy) + lower * dy).astype(np.uint8)


def write_dataset(root: Path, names: Sequence[str], split: str = "train") -> Path:
    """Write a dataset in CamVid's layout: `train/NAME.png` and `trainannot/NAME.png`."""
    for folder in (split, f"{split}annot"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for name in names:
        rgb = picture(int(hashlib.sha256(name.encode()).hexdigest()[:8], 16))
        (root / split / f"{name}.png").write_bytes(encode(rgb, "png"))
        (root / f"{split}annot" / f"{name}.png").write_bytes(encode(rgb // 32, "png"))
    return root


def tree(root: Path, *, without: Sequence[str] = ("commits/",)) -> dict[str, bytes]:
    """Every file below a folder by path, but those whose path starts like `without` (records hold times)."""
    files = (path for path in sorted(root.rglob("*")) if path.is_file())
    named = {path.relative_to(root).as_posix(): path for path in files}
    return {name: path.read_bytes() for name, path in named.items() if not name.startswith(tuple(without))}


Behaviour = Callable[[Unit, int], None]


@dataclass
class CountingWorker:
    """Writes one small shard per unit; `behave(unit, attempt)` may raise, or do worse, before that."""

    storage: Storage
    run_digest: str
    behave: Behaviour | None
    attempts: dict[int, int]

    def run(self, unit: Unit) -> Outcome:
        self.attempts[unit.index] = self.attempts.get(unit.index, 0) + 1
        if self.behave:
            self.behave(unit, self.attempts[unit.index])
        file = commits.publish(self.storage, f"shards/{unit.name}.parquet", f"shard {unit.index}".encode())
        commit = Commit(run=self.run_digest, unit=unit.index, rows=2, files=(file,), seconds={"model": 0.5})
        return commits.write(self.storage, commit)

    def close(self) -> None:
        self.attempts[-1] = 1


@dataclass(frozen=True)
class CountingSpec:
    """Makes `CountingWorker`s; `attempts` counts the calls per unit, and under -1 that the worker was closed."""

    storage: Storage
    run_digest: str
    attempts: dict[int, int]
    behave: Behaviour | None = None

    def create(self) -> CountingWorker:
        return CountingWorker(self.storage, self.run_digest, self.behave, self.attempts)

    def ids(self, unit: Unit) -> list[str]:
        return [f"{unit.index}a", f"{unit.index}b"]


def counting_print(units: int = 6, **configuration: object) -> Fingerprint:
    """The fingerprint of a counting run."""
    return Fingerprint(
        kind="count", configuration=configuration, weights="w" * 64, inputs="i" * 64, rows=2 * units, units=units
    )
