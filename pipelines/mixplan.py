"""The plan of `mix`: reads names from the caches and writes down every pair and every output path before rendering."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import pyarrow as pa

from pipelines.exemplars import Exemplar, Exemplars
from pipelines.flow import prefetch
from pipelines.worklist import WorkListFile, build
from stylize.cache import CacheReader, Entry
from stylize.datasets.base import split_names
from stylize.datasets.tree import RUN_FILES, RUN_FOLDERS
from stylize.digests import Digests
from stylize.errors import ConfigurationError
from stylize.evenplan import EvenPool
from stylize.export import label_path, picture_path
from stylize.packed import inner
from stylize.plan import ExemplarPool, Picture, item_seed
from stylize.strength import Span, draw_strength

PLAN = "plan.parquet"
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("k", pa.int32()),
        ("unit", pa.int32()),  # the shard that holds the content
        ("exemplar", pa.string()),
        ("exemplar_unit", pa.int32()),
        ("exemplar_source", pa.string()),  # its file, relative to its dataset
        ("exemplar_sha256", pa.string()),
        ("reserve", pa.list_(pa.struct([("exemplar", pa.string()), ("exemplar_unit", pa.int32())]))),
        ("seed", pa.int64()),
        ("strength", pa.float64()),
        ("image", pa.string()),
        ("labels", pa.list_(pa.struct([("source", pa.string()), ("path", pa.string())]))),
    ]
)
_THREADS = 8  # shards whose hashes are asked for at once
_HASHES = ("id", "source_sha256")


@dataclass(frozen=True, kw_only=True)
class MixPlan:
    """What is asked of a plan.

    `resized` says that pictures leave at model size, so that labels must change too; `reserve` is how many exemplars a
    copy has beyond the first, in case that the guard refuses what they give; `even` that all are used equally often.
    """

    split: str | None
    limit: int | None
    per_image: int
    seed: int
    strength: Span = (1.0, 1.0)
    resized: bool
    reserve: int = 0
    even: bool = False

    def build(self, contents: CacheReader, styles: CacheReader | None) -> tuple[WorkListFile, int]:
        """Return the work list, one unit per shard of `contents` that has a part in it, and the number of exemplars.

        Without `styles` the exemplars are the contents of the same splits, whatever the limit. Raises
        `ConfigurationError` when a split is unknown or two outputs would share a name, `FatalError` without exemplars.
        """
        splits, intra = self._splits(contents), styles is None
        exemplars = Exemplars(_hashed(contents, splits) if styles is None else _hashed(styles, None))
        wanted = partial(self._wanted, contents, splits, exemplars if intra else None)
        pool = ExemplarPool(exemplars, intra=intra, in_order=True)
        if self.even:
            pictures = (picture for _, picture in wanted())
            pool = EvenPool(exemplars, pictures, copies=self.per_image, seed=self.seed, intra=intra)
        images = Digests()
        work = build(SCHEMA, _by_unit(_checked(self._rows(wanted(), pool), images)))
        for number in images.repeated():
            image = next(islice(self._rows(wanted(), pool), number, None))["image"]
            raise ConfigurationError(f"two outputs would be called {image}: rename the picture that ends so")
        return work, len(exemplars)

    def _wanted(
        self, contents: CacheReader, splits: frozenset[str], exemplars: Exemplars | None
    ) -> Iterator[tuple[Entry, Picture]]:
        """Yield the contents; where `exemplars` are the same pictures, their hashes are not read a second time."""
        hashed = _hashed(contents, splits)
        if exemplars is not None:
            entries = (entry for entry in contents.entries() if entry.split in splits)
            hashed = zip(entries, (exemplar.sha256 for exemplar in exemplars), strict=True)
        for entry, sha256 in islice(hashed, self.limit):
            yield entry, Picture(id=entry.id, sha256=sha256)

    def _rows(self, wanted: Iterator[tuple[Entry, Picture]], pool: ExemplarPool[Exemplar]) -> Iterator[dict[str, Any]]:
        for entry, picture in wanted:
            for k, (exemplar, *spare) in enumerate(pool.draw(picture, self.per_image, self.seed, self.reserve)):
                seed = item_seed(self.seed, entry.id, k)
                yield {
                    "id": entry.id,
                    "k": k,
                    "unit": entry.unit,
                    "exemplar": exemplar.id,
                    "exemplar_unit": exemplar.unit,
                    "exemplar_source": exemplar.image,
                    "exemplar_sha256": exemplar.sha256,
                    "reserve": [{"exemplar": other.id, "exemplar_unit": other.unit} for other in spare],
                    "seed": seed,
                    "strength": draw_strength(self.strength, seed),
                    "image": picture_path(inner(entry.image), entry.key, k),
                    "labels": self._labels(entry, k),
                }

    def _labels(self, entry: Entry, k: int) -> list[dict[str, str]]:
        paths = ((label, label_path(inner(label), entry.key, k, resized=self.resized)) for label in entry.labels)
        return [{"source": label, "path": path} for label, path in paths if path is not None]

    def _splits(self, contents: CacheReader) -> frozenset[str]:
        present = frozenset(entry.split for entry in contents.entries())
        if not present:
            raise ConfigurationError(f"the cache {contents.storage.url} holds no pictures: see `stylize status` on it")
        if self.split is None:
            return present
        wanted = frozenset(split_names(self.split))
        if missing := sorted(wanted - present):
            names = ", ".join(sorted(filter(None, present))) or "no splits at all"
            raise ConfigurationError(f"no split {missing[0]!r} in the cache {contents.storage.url}: it has {names}")
        return wanted


def _hashed(cache: CacheReader, splits: frozenset[str] | None) -> Iterator[tuple[Entry, str]]:
    """Yield the entries of a cache sorted by id, with the sha256 that tells copies of one picture."""
    with ThreadPoolExecutor(_THREADS, "hashes") as threads:
        read = partial(cache.columns, names=_HASHES, keep=False)
        tables = prefetch(threads, read, range(cache.units), ahead=2 * _THREADS)
        for unit, table in enumerate(tables):
            hashes = dict(zip(table.column("id").to_pylist(), table.column("source_sha256").to_pylist(), strict=True))
            for entry in cache.entries(unit):
                if splits is None or entry.split in splits:
                    yield entry, hashes[entry.id]


def _checked(rows: Iterator[dict[str, Any]], images: Digests) -> Iterator[dict[str, Any]]:
    """Pass rows on and note their pictures; raise when a file and the run's own records would share a path."""
    for row in rows:
        for path in (row["image"], *(label["path"] for label in row["labels"])):
            if path.partition("/")[0] in RUN_FOLDERS or path in RUN_FILES:
                raise ConfigurationError(f"{path} would lie among the run's own records: rename the dataset's folder")
        images.add(row["image"])
        yield row


def _by_unit(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    group: list[dict[str, Any]] = []
    for row in rows:
        if group and group[-1]["unit"] != row["unit"]:
            yield group
            group = []
        group.append(row)
    if group:
        yield group
