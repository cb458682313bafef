"""What a training run leaves on disk: configuration, checkpoint, losses as CSV, picture grids and the weights.

OUT/run.json             kind, configuration, weights it started from, input list: what a resumed run must share
OUT/checkpoint.pt        everything a step reads; the last one only
OUT/losses.csv           one row per interval: step, images, learning rate, every loss, figures of the evaluations
OUT/frechet.csv          of a generator: its distance from the training pictures, and by which features
OUT/grids/00012800.png   after so many images; of an encoder: contents down, exemplars across
OUT/curves.svg           the same as a picture
OUT/bundle.safetensors   the averaged weights at the last evaluation (generator.safetensors of a generator)
OUT/pictures/            the decoded pictures, see `stylize.training.decoded`; not needed any more after the run
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch

from stylize.errors import BadInput, ConfigurationError
from stylize.storage import Storage

Row = dict[str, float]
FIRST_COLUMNS = ("step", "images", "lr")


class TrainingRecord:
    """Reads and writes a training run's folder; `weights` is the name of the file that the run is there to make."""

    def __init__(self, storage: Storage, weights: str = "bundle.safetensors") -> None:
        self.storage = storage
        self.weights = weights
        self.rows: list[Row] = []

    def begin(self, configuration: Mapping[str, Any], *, overwrite: bool) -> None:
        """Write the configuration of a new run, or check that it continues the one that is there.

        Raises:
            ConfigurationError: the folder holds a run with another configuration, or something else.
        """
        configuration = json.loads(json.dumps(configuration))  # so that a tuple equals the list it is stored as
        before = self._configuration()
        if before is not None and before.get("kind") != configuration["kind"]:
            raise ConfigurationError(
                f"{self.storage.url} holds a run of {before.get('kind', 'another command')}: choose another folder"
            )
        if before is not None and not overwrite:
            changed = _differences(before, configuration)
            if changed:
                raise ConfigurationError(
                    f"{self.storage.url} holds a run with another configuration ({'; '.join(changed)}): "
                    f"choose another folder, or pass --overwrite{self._way_on()}"
                )
            return
        if before is not None:
            self._erase()
        self.storage.write_json("run.json", configuration)

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
        self.save_losses()
        buffer = io.BytesIO()
        torch.save(dict(state), buffer)
        self.storage.write("checkpoint.pt", buffer.getvalue())

    def save_losses(self) -> None:
        """Write the table of losses; equal rows make equal bytes, whatever order their columns came in."""
        names = {name for row in self.rows for name in row}
        columns = [*FIRST_COLUMNS, *sorted(names.difference(FIRST_COLUMNS))]
        rows = [{name: f"{value:.6g}" for name, value in row.items()} for row in self.rows]
        self.save_table("losses.csv", columns, rows)

    def save_table(self, path: str, columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> None:
        """Write a table as CSV."""
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        self.storage.write(path, text.getvalue().encode())

    def save_grid(self, images: int, png: bytes) -> None:
        self.storage.write(f"grids/{images:08d}.png", png)

    def save_curves(self, svg: bytes) -> None:
        """Write the picture of the figures."""
        self.storage.write("curves.svg", svg)

    def save_weights(self, data: bytes) -> str:
        """Write the weights; return where they are."""
        self.storage.write(self.weights, data)
        return self.storage.locate(self.weights)

    def _way_on(self) -> str:
        """Return how to go on from what an earlier run has learnt, if there is anything yet."""
        if not self.storage.exists(self.weights):
            return ""
        return f"; what it has learnt is not lost: --init {self.storage.locate(self.weights)} goes on from it elsewhere"

    def _configuration(self) -> dict[str, Any] | None:
        if not self.storage.exists("run.json"):
            return None
        try:
            return dict(self.storage.read_json("run.json"))
        except BadInput as error:
            raise ConfigurationError(f"{error}: choose another folder") from error

    def _erase(self) -> None:
        grids = [path for path in self.storage.list("grids") if path.endswith(".png")]
        decoded = [path for path in self.storage.list("pictures") if path.endswith((".json", ".pixels"))]
        for path in ("checkpoint.pt", "losses.csv", "frechet.csv", "curves.svg", self.weights, *grids, *decoded):
            self.storage.remove(path)


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return one clause per setting that differs: `training.lr: 0.001 there, 0.0005 now`."""
    there, here = dict(_flat(before)), dict(_flat(now))
    return [
        f"{name}: {_show(there.get(name))} there, {_show(here.get(name))} now"
        for name in sorted(there.keys() | here.keys())
        if there.get(name) != here.get(name)
    ]


def _flat(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, inner in value.items():
        if isinstance(inner, Mapping):
            yield from _flat(inner, f"{prefix}{name}.")
        else:
            yield prefix + name, inner


def _show(value: Any) -> str:
    if isinstance(value, str) and len(value) == 64:
        return value[:12]  # a hash
    return "not set" if value is None else json.dumps(value)
