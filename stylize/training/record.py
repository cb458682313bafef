"""What a training run leaves on disk: configuration, checkpoint, losses as CSV, picture grids and the bundle.

OUT/run.json             configuration, weights it started from, input list: what a resumed run must share
OUT/checkpoint.pt        everything a step reads; the last one only
OUT/losses.csv           one row per interval: step, images, learning rate, every loss, held-out PSNR in dB
OUT/grids/00012800.png   after so many images: contents down, exemplars across
OUT/bundle.safetensors   the averaged weights so far
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

import torch

from stylize.errors import ConfigurationError
from stylize.storage import Storage

Row = dict[str, float]


class TrainingRecord:
    """Reads and writes a training run's folder."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.rows: list[Row] = []

    def begin(self, configuration: Mapping[str, Any], *, overwrite: bool) -> None:
        """Write the configuration of a new run, or check that it continues the one that is there.

        Raises:
            ConfigurationError: the folder holds a run with another configuration.
        """
        if self.storage.exists("run.json") and not overwrite:
            before = self.storage.read_json("run.json")
            changed = sorted(k for k in {*before, *configuration} if before.get(k) != configuration.get(k))
            if changed:
                differences = "; ".join(f"{k}: {before.get(k)!r} there, {configuration.get(k)!r} now" for k in changed)
                raise ConfigurationError(
                    f"{self.storage.url} holds a run with another configuration ({differences}): "
                    "choose another folder, or pass --overwrite"
                )
            return
        for path in ("checkpoint.pt", "losses.csv"):
            if self.storage.exists(path):
                self.storage.remove(path)
        self.storage.write_json("run.json", dict(configuration))

    def load_checkpoint(self) -> dict[str, Any] | None:
        """Return the last checkpoint, with the loss rows up to it, or None for a run that has none yet."""
        if not self.storage.exists("checkpoint.pt"):
            return None
        state: dict[str, Any] = torch.load(
            io.BytesIO(self.storage.read("checkpoint.pt")), map_location="cpu", weights_only=True
        )
        if self.storage.exists("losses.csv"):
            table = csv.DictReader(io.StringIO(self.storage.read_text("losses.csv")))
            rows = [{name: float(value) for name, value in row.items() if value} for row in table]
            self.rows = [row for row in rows if row["step"] <= state["step"]]
        return state

    def save_checkpoint(self, state: Mapping[str, Any]) -> None:
        """Write losses, then the checkpoint."""
        self.storage.write("losses.csv", self._table())
        buffer = io.BytesIO()
        torch.save(dict(state), buffer)
        self.storage.write("checkpoint.pt", buffer.getvalue())

    def save_grid(self, images: int, png: bytes) -> None:
        self.storage.write(f"grids/{images:08d}.png", png)

    def save_bundle(self, data: bytes) -> None:
        self.storage.write("bundle.safetensors", data)

    def _table(self) -> bytes:
        names = list(dict.fromkeys(name for row in self.rows for name in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: f"{value:.6g}" for name, value in row.items()} for row in self.rows)
        return text.getvalue().encode()
