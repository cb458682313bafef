"""Results on disk: a table of one row per picture as CSV, figures as JSON, and distributions that do not grow."""

from __future__ import annotations

import csv
import math
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from tempfile import SpooledTemporaryFile
from typing import Any

from stylize.errors import ConfigurationError
from stylize.storage import Storage

IN_MEMORY = 1 << 22  # bytes of a table before it moves to a temporary file
DIGITS = 6


class Distribution:
    """Values one by one: count, mean, least and greatest exactly, percentiles to within half a `step`.

    What is kept is one number per occupied step. Values that are no finite number are left out.
    """

    def __init__(self, step: float) -> None:
        self.step = step
        self.count, self.total = 0, 0.0
        self.least, self.most = math.inf, -math.inf
        self._bins: Counter[int] = Counter()

    def add(self, value: float) -> None:
        """Take a value."""
        if not math.isfinite(value):
            return
        self.count += 1
        self.total += value
        self.least, self.most = min(self.least, value), max(self.most, value)
        self._bins[round(value / self.step)] += 1

    @property
    def mean(self) -> float:
        """The mean; NaN without values."""
        return self.total / self.count if self.count else math.nan

    def percentile(self, percent: float) -> float:
        """Return a percentile; NaN without values."""
        target = percent / 100 * self.count
        for place in sorted(self._bins):
            target -= self._bins[place]
            if target <= 0:
                return min(max(place * self.step, self.least), self.most)
        return math.nan

    def as_dict(self) -> dict[str, float | None]:
        """Return the figures of the distribution as JSON values."""
        spread = {f"p{percent:02d}": self.percentile(percent) for percent in (5, 50, 95)}
        empty = not self.count
        ends = {"min": math.nan if empty else self.least, "max": math.nan if empty else self.most}
        return finite({"mean": self.mean, **spread, **ends})


@contextmanager
def table(
    where: str | os.PathLike[str] | None, columns: Sequence[str], storage_options: Mapping[str, Any] | None
) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Give a function that takes rows; when the block ends well they are published as CSV at a path or URL.

    Numbers are rounded, and what is no number stays empty. Many rows wait in a temporary file. Without `where` they are
    thrown away.
    """
    if where is None:
        yield lambda _row: None
        return
    storage, name = file_at(where, storage_options)
    with SpooledTemporaryFile(IN_MEMORY, "w+", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        yield lambda row: writer.writerow({key: _cell(value) for key, value in row.items()})
        file.seek(0)
        storage.write(name, file.read().encode())


def publish_json(
    where: str | os.PathLike[str], values: Mapping[str, Any], storage_options: Mapping[str, Any] | None
) -> None:
    """Write values as JSON to a path or URL."""
    storage, name = file_at(where, storage_options)
    storage.write_json(name, values)


def file_at(where: str | os.PathLike[str], storage_options: Mapping[str, Any] | None) -> tuple[Storage, str]:
    """Return the folder and the name of a file given by its path or URL."""
    text = os.fspath(where)
    folder, slash, name = text.rpartition("/")
    if not name:
        raise ConfigurationError(f"{text!r} names a folder: give the file a name")
    return Storage(folder or slash or ".", storage_options), name


def finite(values: Mapping[str, float]) -> dict[str, float | None]:
    """Return the values with None for what is no finite number, since JSON knows none, rounded to six digits."""
    return {name: _rounded(value) if math.isfinite(value) else None for name, value in values.items()}


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def _cell(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    return _rounded(value) if math.isfinite(value) else ""
