"""The cache that `invert` writes: w+ codes and noise maps of every picture, in Parquet shards.

    CACHE/run.json               fingerprint: configuration (what `CacheInfo` holds), weights, inputs, versions
    CACHE/inputs.parquet         id, image, labels, split, key of every input, by id; units: see `worklist`
    CACHE/shards/00000.parquet   the rows of unit 0 that came out well, in the order of the inputs
    CACHE/commits/00000.json     written after its shard: bytes, sha256, failures, seconds
    CACHE/manifest.json          written last: units with rows and bytes, and every failed input

A row of a shard, from a 96x128 model with 12 codes of 128 numbers and noise maps of [96, 24, 32]:

    id             "train/0001TP_006690"       image path without its extension: unique, stable
    image          "train/0001TP_006690.png"   relative to the dataset, like the labels
    labels         ["trainannot/0001TP_006690.png"]
    split, key     "train", "0001TP_006690"
    source_sha256  "9c1e..."                   of the image file
    height, width  360, 480                    of the source, upright, in pixels
    w_plus         6144 bytes                  float32, little-endian, [num_ws, w_dim]
    noise_0, _1    some 37,000 bytes each      see `stylize.codec`; the mode is in the metadata
    scale_0, _1    384 bytes each              float32, one per channel
    psnr           25.31                       dB of the dequantised reconstruction, over [-1, 1], at model size
    psnr_fp32      25.33                       the same before quantisation

Binary columns are `large_binary`, uncompressed (their blobs are packed already) and without dictionaries or statistics;
row groups have at most 64 rows. The file's metadata holds `CacheInfo` as JSON under `stylize`.
"""

from __future__ import annotations

import bisect
import dataclasses
import json
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stylize.codec import Floats, NoiseMode, decode_noise
from stylize.errors import BadInput, ConfigurationError, NotFound, StylizeError
from stylize.ranges import Ranges
from stylize.storage import Storage
from stylize.worklist import WorkList

ROW_GROUP = 64
SMALL_FILE = 1 << 20  # bytes; below this one read of the whole shard is cheaper than ranges of it
INPUTS = "inputs.parquet"

INPUT_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("image", pa.string()),
        ("labels", pa.list_(pa.string())),
        ("split", pa.string()),
        ("key", pa.string()),
    ]
)
SCHEMA = pa.schema(
    [
        *INPUT_SCHEMA,
        ("source_sha256", pa.string()),
        ("height", pa.int32()),
        ("width", pa.int32()),
        ("psnr", pa.float32()),
        ("psnr_fp32", pa.float32()),
        ("w_plus", pa.large_binary()),
        ("scale_0", pa.large_binary()),
        ("scale_1", pa.large_binary()),
        ("noise_0", pa.large_binary()),
        ("noise_1", pa.large_binary()),
    ]
)
_BLOBS = ("w_plus", "scale_0", "scale_1", "noise_0", "noise_1")


@dataclass(frozen=True, kw_only=True)
class CacheInfo:
    """What all rows of a cache have in common: the model's frame and the shapes and packing of codes and noise."""

    height: int
    width: int
    num_ws: int
    w_dim: int
    noise_shapes: tuple[tuple[int, int, int], tuple[int, int, int]]
    noise: NoiseMode
    model_sha256: str

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {**dataclasses.asdict(self), "noise_shapes": [list(shape) for shape in self.noise_shapes]}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> CacheInfo:
        """Return the info of `as_dict()`; further keys are ignored."""
        known = {field.name: values[field.name] for field in dataclasses.fields(cls)}
        return cls(**{**known, "noise_shapes": tuple(tuple(shape) for shape in known["noise_shapes"])})


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """An inverted picture by its names, without its codes; `unit` is the shard it is in."""

    id: str
    image: str
    labels: tuple[str, ...]
    split: str
    key: str
    unit: int


@dataclass(frozen=True, kw_only=True)
class CacheRow:
    """A row of a shard; blobs are bytes or Arrow buffers as they are stored."""

    id: str
    image: str
    labels: tuple[str, ...]
    split: str
    key: str
    source_sha256: str
    height: int
    width: int
    psnr: float
    psnr_fp32: float
    w_plus: Any
    scale_0: Any
    scale_1: Any
    noise_0: Any
    noise_1: Any

    def codes(self, info: CacheInfo) -> Floats:
        """Return the w+ codes [num_ws, w_dim]."""
        return _floats(self.w_plus, info.num_ws, info.w_dim)

    def noise(self, info: CacheInfo) -> tuple[Floats, Floats]:
        """Return the dequantised noise maps, [C, H, W] each."""
        packed = ((self.noise_0, self.scale_0), (self.noise_1, self.scale_1))
        first, second = (
            decode_noise(blob, _floats(scale, -1), shape, info.noise)
            for (blob, scale), shape in zip(packed, info.noise_shapes, strict=True)
        )
        return first, second


def write_shard(rows: Sequence[CacheRow], info: CacheInfo) -> bytes:
    """Return the bytes of a shard; equal rows give equal bytes."""
    schema = SCHEMA.with_metadata({"stylize": json.dumps(info.as_dict(), sort_keys=True)})
    columns = {field.name: [getattr(row, field.name) for row in rows] for field in SCHEMA}
    for name in _BLOBS:
        columns[name] = [bytes(memoryview(blob)) for blob in columns[name]]
    sink = pa.BufferOutputStream()
    compression = {path: "none" if path in _BLOBS else "zstd" for path in _leaves()}
    with pq.ParquetWriter(
        sink, schema, version="2.6", compression=compression, use_dictionary=False, write_statistics=False
    ) as writer:
        writer.write_table(pa.table(columns, schema=schema), row_group_size=ROW_GROUP)
    return bytes(memoryview(sink.getvalue()))


def read_shard(data: bytes) -> list[CacheRow]:
    """Return the rows of a shard in order; raises `StylizeError` when it is damaged."""
    return _rows(_table(pa.BufferReader(data), "a shard", None))


def shard_path(unit: int) -> str:
    """Return the path of a unit's shard."""
    return f"shards/{unit:05d}.parquet"


class CacheReader:
    """Finds and reads rows of a finished cache; safe to use from several threads.

    Opening costs three reads (run, manifest, inputs), whatever the size of the cache. `codes` reads only the columns it
    needs, by ranges of the shard. Tables that were read are kept, the least recently used leaving first, up to `memory`
    bytes.

    Raises:
        ConfigurationError: there is no cache here, or it is not finished.
    """

    def __init__(self, storage: Storage, *, memory: int = 256 << 20) -> None:
        self.storage = storage
        self.run, manifest = _open(storage)
        self.info = CacheInfo.from_dict({**self.run["configuration"], "model_sha256": self.run["weights"]})
        self._bytes = {unit: size for unit, _, size, _ in manifest["shards"]}
        self._failed = frozenset(name for _, name, _, _ in manifest["failures"])
        self._count = int(manifest["rows"])
        self._inputs = WorkList(storage.read(INPUTS))
        self._unit_size = int(self.run["configuration"]["unit_size"])
        self._ids: list[str] | None = None
        self._tables = _Tables(memory)
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Return the number of rows."""
        return self._count

    @property
    def units(self) -> int:
        """The number of shards."""
        return len(self._bytes)

    def entries(self, unit: int | None = None) -> Iterator[Entry]:
        """Yield what can be read, sorted by id, of one unit or of all; inputs that failed are left out."""
        for index in range(self.units) if unit is None else (unit,):
            for row in self._inputs.rows(index):
                if row["id"] not in self._failed:
                    yield Entry(**{**row, "labels": tuple(row["labels"])}, unit=index)

    def locate(self, id: str) -> int:
        """Return the unit of an id; raises `StylizeError` when it is unknown or its inversion failed."""
        with self._lock:
            if self._ids is None:  # 100 bytes per input, so only for those who ask
                self._ids = self._inputs.column("id").to_pylist()
        position = bisect.bisect_left(self._ids, id)
        if id in self._failed or position == len(self._ids) or self._ids[position] != id:
            state = "failed to invert" if id in self._failed else "is unknown"
            raise StylizeError(f"{id!r} {state} in the cache {self.storage.url}")
        return position // self._unit_size

    def codes(self, id: str, unit: int | None = None) -> Floats:
        """Return the w+ codes [num_ws, w_dim] of an id, without reading noise maps; `unit` saves the search."""
        table, index = self._find(id, unit, ("id", "w_plus"))
        return _floats(table.column("w_plus")[index].as_buffer(), self.info.num_ws, self.info.w_dim)

    def row(self, id: str, unit: int | None = None) -> CacheRow:
        """Return the whole row of an id; `unit` saves the search."""
        table, index = self._find(id, unit, None)
        return _rows(table.slice(index, 1))[0]

    def rows(self, unit: int) -> Iterator[CacheRow]:
        """Yield the rows of a shard in order."""
        table = self.columns(unit)
        for index in range(len(table)):
            yield _rows(table.slice(index, 1))[0]

    def columns(self, unit: int, names: tuple[str, ...] | None = None, *, keep: bool = True) -> pa.Table:
        """Return columns of a shard (all without `names`), from memory when they were read lately.

        Who reads every shard once has no use for what they `keep`.
        """
        table = self._tables.get((unit, names))
        if table is None:
            table = self._read(unit, names)
            if keep:
                self._tables.put((unit, names), table)
        return table

    def _find(self, id: str, unit: int | None, names: tuple[str, ...] | None) -> tuple[pa.Table, int]:
        where = self.locate(id) if unit is None else unit
        table = self.columns(where, names)
        index = table.column("id").index(id).as_py()
        if index < 0:
            raise StylizeError(f"{id!r} is not in {self.storage.locate(shard_path(where))}: verify the cache")
        return table, index

    def _read(self, unit: int, names: tuple[str, ...] | None) -> pa.Table:
        path, size = shard_path(unit), self._bytes.get(unit, 0)
        if size == 0:
            return SCHEMA.empty_table() if names is None else SCHEMA.empty_table().select(list(names))
        if names is None or size <= SMALL_FILE:
            source = pa.BufferReader(self.storage.read(path))
        else:
            source = pa.PythonFile(Ranges(self.storage, path, size), mode="r")
        return _table(source, self.storage.locate(path), names)


def _open(storage: Storage) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return run record and manifest of a finished cache."""
    try:
        run = storage.read_json("run.json")
    except BadInput as error:
        raise ConfigurationError(f"{storage.url} is no cache ({error}); make one with `stylize invert`") from error
    if run.get("kind") != "invert":
        raise ConfigurationError(f"{storage.url} was written by `stylize {run.get('kind')}`; give a cache of `invert`")
    try:
        return run, storage.read_json("manifest.json")
    except NotFound as error:
        done = len(storage.list("commits"))
        raise ConfigurationError(
            f"the cache {storage.url} is not finished ({done} of {run['units']} units): "
            "run the same `stylize invert` again, it continues"
        ) from error


def _table(source: Any, name: str, columns: tuple[str, ...] | None) -> pa.Table:
    try:
        with pq.ParquetFile(source, pre_buffer=True) as file:
            return file.read(columns=None if columns is None else list(columns), use_threads=False)
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())
        raise StylizeError(f"{name} is damaged ({reason}); run `stylize verify --repair` on the cache") from error


def _rows(table: pa.Table) -> list[CacheRow]:
    plain = table.drop_columns(list(_BLOBS)).to_pylist()
    blobs = ({name: table.column(name)[index].as_buffer() for name in _BLOBS} for index in range(len(table)))
    return [CacheRow(**{**row, "labels": tuple(row["labels"])}, **blob) for row, blob in zip(plain, blobs, strict=True)]


def _leaves() -> list[str]:
    return ["labels.list.element" if field.name == "labels" else field.name for field in SCHEMA]


def _floats(buffer: Any, *shape: int) -> Floats:
    return np.frombuffer(buffer, "<f4").reshape(shape)


class _Tables:
    """Tables by key, the least recently used leaving first when they exceed a number of bytes."""

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self._total = 0
        self._tables: OrderedDict[Any, pa.Table] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Any) -> pa.Table | None:
        with self._lock:
            if key in self._tables:
                self._tables.move_to_end(key)
            return self._tables.get(key)

    def put(self, key: Any, table: pa.Table) -> None:
        with self._lock:
            if key in self._tables:  # another thread read the same meanwhile
                return
            self._tables[key] = table
            self._total += table.nbytes
            while self._total > self._memory and len(self._tables) > 1:
                self._total -= self._tables.popitem(last=False)[1].nbytes
