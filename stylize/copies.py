"""What an output of `mix` holds, read from its own records: which copies there are of which picture."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stylize.datasets.base import Dataset
from stylize.datasets.tree import Sample, is_image
from stylize.errors import BadInput, ConfigurationError, NotFound
from stylize.storage import Storage

Place = str | os.PathLike[str]
_COLUMNS = ("content", "k", "image", "labels", "flagged")


@dataclass(frozen=True, kw_only=True, slots=True)
class CopyRow:
    """A stylized copy: the id of its content picture, its number, and its files, paths or addresses in the output."""

    content: str
    k: int
    image: str
    labels: tuple[str, ...]
    flagged: bool


class Copies:
    """The copies in an output of `mix`, of any format, finished or not.

    Raises:
        ConfigurationError: there is no such output.
    """

    def __init__(self, out: Storage) -> None:
        self.storage = out
        try:
            self.run: Mapping[str, Any] = out.read_json("run.json")
            kind = self.run["kind"]
        except NotFound as error:
            raise ConfigurationError(f"{out.url} holds no run.json: give a folder that `stylize mix` wrote") from error
        except (BadInput, KeyError, TypeError) as error:
            raise ConfigurationError(f"the run.json of {out.url} cannot be read ({error})") from error
        if kind != "mix":
            raise ConfigurationError(f"{out.url} was written by `stylize {kind}`: give an output of `stylize mix`")

    def __iter__(self) -> Iterator[CopyRow]:
        """Yield the copies unit by unit, in the order of the plan."""
        for path in self.storage.list("provenance"):
            with pq.ParquetFile(pa.BufferReader(self.storage.read(path))) as file:
                names = [name for name in _COLUMNS if name in file.schema_arrow.names]
                rows = file.read(columns=names, use_threads=False).to_pylist()
            for row in rows:
                yield CopyRow(**{"flagged": False, **row, "labels": tuple(row["labels"])})

    @property
    def format(self) -> str:
        """The format of the output, such as "tree"."""
        return str(self.run["configuration"].get("format", "tree"))

    @cached_property
    def resized(self) -> bool:
        """Whether the copies have the size of the model, and their labels with them."""
        return bool(self.run["configuration"].get("size") == "model")

    def label_of(self, row: CopyRow, sample: Sample, label: str) -> str:
        """Return the copy's own file of a label of its content.

        Raises:
            ConfigurationError: the copy was made when its content had other labels.
        """
        labels = [path for path in sample.labels if is_image(path) or not self.resized]
        if len(labels) != len(row.labels):
            raise ConfigurationError(
                f"{sample.image} has {len(labels)} labels, its copy {row.image} in {self.storage.url} was made with "
                f"{len(row.labels)}: name the dataset that the copies were made of, or run `stylize mix` again"
            )
        return row.labels[labels.index(label)]

    def of(self, dataset: Dataset) -> Iterator[tuple[Sample, CopyRow]]:
        """Yield the copies whose content is in a dataset, with it.

        Raises:
            ConfigurationError: there are copies, but none of this dataset.
        """
        by_id = {id: number for number, id in enumerate(dataset.samples.ids())}
        some, known = None, False
        for row in self:
            some = some or row
            if row.content in by_id:
                known = True
                yield dataset.samples[by_id[row.content]], row
        if some is None:
            raise ConfigurationError(f"{self.storage.url} holds no copies yet: see `stylize status {self.storage.url}`")
        if not known:
            raise ConfigurationError(
                f"no copy in {self.storage.url} is of a picture in {dataset.storage.url}, which has no "
                f"{some.content!r}: name the dataset that the copies were made of, with its layout and split"
            )


def open_copies(outs: Place | Sequence[Place], *, storage_options: Mapping[str, Any] | None = None) -> list[Copies]:
    """Open one output of `mix` or several; raises `ConfigurationError` when one of them is none."""
    several = [outs] if isinstance(outs, (str, os.PathLike)) else outs
    return [Copies(Storage(out, storage_options)) for out in several]
