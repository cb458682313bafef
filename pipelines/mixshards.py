"""Outputs of `mix` in shards: a unit's copies with labels and provenance in a tar or Parquet file for each split.

    OUT/data/train-00003-of-00013.tar       key.png, key.label.png, key.provenance.json of each copy (WebDataset)
    OUT/data/train-00003-of-00013.parquet   a row per copy: image, label, id, content, strength, ... (`datasets`)

Names and bytes follow from the plan alone, as those of a tree do. The provenance of the run holds addresses in place of
paths (see `stylize.packed`), so that whatever reads an output's pictures reads these as well.
"""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines import commits, provenance
from pipelines.commits import FileRecord
from pipelines.provenance import Row
from pipelines.units import unit_name
from stylize.cache import Entry
from stylize.datasets.labels import label_kind
from stylize.datasets.tree import is_image, stem, without_suffix
from stylize.errors import ConfigurationError
from stylize.packed import inner, parquet_address, parse, tar_address
from stylize.storage import Storage

TREE = "tree"
FORMATS = {TREE: "", "webdataset": "tar", "parquet": "parquet"}  # and the ending of their shards
FOLDER = "data"
SHARD = re.compile(rf"{FOLDER}/\w+-\d{{5,}}-of-\d{{5,}}\.(tar|parquet)")
DOT = "%2E"  # in names of tar files, see `_key`
IMAGE, NO_SPLIT = "image", "train"  # what Hugging Face calls the only split of a dataset without splits
ROW_GROUP = 4  # rows: who reads them in random order reads so many pictures for each
_FILE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
_LEFT_OUT = frozenset({"image", "labels", "layers", "redrawn"})  # of the provenance: pictures, and what is nested
_TYPES = {"float": "float32", "double": "float64"}  # Arrow's names of what Hugging Face calls so


@dataclass(frozen=True, kw_only=True)
class Part:
    """A file of a copy: the column it goes to, its path in a tree, and its bytes."""

    column: str
    path: str
    data: bytes


Copies = Sequence[tuple[Row, Sequence[Part]]]  # each with its picture and its labels, in this order


@dataclass(frozen=True, kw_only=True)
class Packing:
    """How the copies of a run are packed; `columns` names that of each kind of label."""

    format: str
    units: int
    columns: Mapping[str, str]

    def publish(self, out: Storage, unit: int, copies: Copies) -> tuple[list[Row], list[FileRecord]]:
        """Write the shards of a unit; return its rows with addresses, in the same order, and the shards' records."""
        rows: dict[int, Row] = {}
        records = []
        pack = _to_tar if self.format == "webdataset" else partial(_to_parquet, columns=sorted(self.columns.values()))
        shards = [self.shard(unit, row["split"]) for row, _ in copies]
        for path in sorted(set(shards)):
            chosen = [index for index, shard in enumerate(shards) if shard == path]
            data, addressed = pack(path, [copies[index] for index in chosen])
            rows |= dict(zip(chosen, addressed, strict=True))
            records.append(commits.publish(out, path, data))
        return [rows[index] for index in range(len(copies))], records

    def shard(self, unit: int, split: str) -> str:
        """Return the path of a unit's shard of a split."""
        name = re.sub(r"\W", "_", split) or NO_SPLIT
        return f"{FOLDER}/{name}-{unit_name(unit)}-of-{unit_name(self.units)}.{FORMATS[self.format]}"


def unpacked(out: Storage, row: Row) -> tuple[Row, list[Part]]:
    """Return the row and the files of a copy that an earlier session packed, as they were before."""
    parts = [_part(out, address) for address in (row["image"], *row["labels"])]
    return {**row, "image": parts[0].path, "labels": [part.path for part in parts[1:]]}, parts


def packing_of(format: str, units: int, entries: Iterable[Entry], *, resized: bool) -> Packing:
    """Return how the outputs of a cache are packed.

    Label pictures go to the column `label`, or `label_<kind>` when there are several kinds, polygons and other files to
    `file_<kind>`.

    Raises:
        ConfigurationError: two files would have one place in a shard.
    """
    kinds: dict[str, bool] = {}
    for entry in entries:
        if format == "webdataset" and entry.id == inner(entry.image):
            raise ConfigurationError(
                f"another picture differs from {entry.id} in its ending alone, and in tar files they would share a "
                "name: rename it, or write another format"
            )
        mine: dict[str, str] = {}
        for path in entry.labels:
            if is_image(path) or not resized:
                kind = label_kind(entry, path)
                if mine.setdefault(kind, path) != path:
                    raise ConfigurationError(
                        f"{inner(path)} and {inner(mine[kind])} are both labels of the kind {kind}, and a shard has "
                        "one place for it: rename them, or write a tree"
                    )
                kinds.setdefault(kind, is_image(path))
    return Packing(format=format, units=units, columns=_columns(kinds))


def _columns(kinds: Mapping[str, bool]) -> dict[str, str]:
    """Return the column of each kind of label, of which it is known whether its files are pictures."""
    pictures = [kind for kind, picture in kinds.items() if picture]
    columns: dict[str, str] = {}
    for kind in sorted(kinds):
        name = re.sub(r"\W+", "_", kind).strip("_")
        column = "label" if pictures == [kind] else f"label_{name}" if kinds[kind] else f"file_{name}"
        while column in columns.values():
            column += "_"
        columns[kind] = column
    return columns


def _part(out: Storage, address: str) -> Part:
    found = parse(address)
    if found is None:
        raise ValueError(f"{address} is no address in a shard")
    column = found.place.partition(":")[2]
    if column:
        return Part(column=column, path=found.name, data=out.read(address))
    folder, slash, name = found.name.rpartition("/")  # of a tar file, in which the name says it
    key, _, ending = name.partition(".")
    column, _, suffix = ending.rpartition(".")
    path = f"{folder}{slash}{key.replace(DOT, '.')}.{suffix}"
    return Part(column=column or IMAGE, path=path, data=out.read(address))


def _noted(copies: Copies) -> list[dict[str, Any]]:
    """Return what a shard says of each copy beside its files, with numbers as Arrow rounds them."""
    rows = [{"id": without_suffix(row["image"]), **row} for row, _ in copies]
    return list(pa.Table.from_pylist(rows, schema=pa.schema(_noted_types().items())).to_pylist())


def _key(row: Row) -> str:
    """Return the name of a copy in a tar file, in which the first dot of a file's name would end it."""
    folder, slash, _ = row["image"].rpartition("/")
    return f"{folder}{slash}{stem(row['image']).replace('.', DOT)}"


def _to_tar(path: str, copies: Copies) -> tuple[bytes, list[Row]]:
    buffer, rows = io.BytesIO(), []
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for (row, parts), noted in zip(copies, _noted(copies), strict=True):
            key, addresses = _key(row), []
            for part in parts:
                suffix = part.path.rpartition(".")[2]
                ending = suffix if part.column == IMAGE else f"{part.column}.{suffix}"
                start = _add(tar, f"{key}.{ending}", part.data)
                addresses.append(tar_address(path, start, len(part.data), f"{key}.{ending}"))
            text = json.dumps(noted, sort_keys=True, indent=1, ensure_ascii=False)
            _add(tar, f"{key}.provenance.json", text.encode())
            rows.append(_addressed(row, addresses))
    return buffer.getvalue(), rows


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> int:
    """Add a file; return where its bytes begin."""
    info = tarfile.TarInfo(name)  # of no user, no group, and 1970: equal files give equal shards
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))
    blocks = -(-len(data) // tarfile.BLOCKSIZE)
    return int(tar.offset) - blocks * tarfile.BLOCKSIZE


def _to_parquet(path: str, copies: Copies, columns: Sequence[str]) -> tuple[bytes, list[Row]]:
    schema, cells, rows = _schema(columns), [], []
    for number, ((row, parts), noted) in enumerate(zip(copies, _noted(copies), strict=True)):
        cells.append({**noted, **{part.column: {"bytes": part.data, "path": part.path} for part in parts}})
        rows.append(_addressed(row, [parquet_address(path, number, part.column, part.path) for part in parts]))
    sink = pa.BufferOutputStream()
    blobs = [f"{column}.bytes" for column in (IMAGE, *columns)]
    leaves = [*blobs, *(f"{column}.path" for column in (IMAGE, *columns)), *_noted_types()]
    compression = {leaf: "none" if leaf in blobs else "zstd" for leaf in leaves}
    with pq.ParquetWriter(
        sink, schema, version="2.6", compression=compression, use_dictionary=False, write_statistics=False
    ) as writer:
        writer.write_table(pa.Table.from_pylist(cells, schema=schema), row_group_size=ROW_GROUP)
    return bytes(memoryview(sink.getvalue())), rows


def _schema(columns: Sequence[str]) -> pa.Schema:
    """Return the schema of a shard, with the features that `datasets` decodes pictures by."""
    noted = _noted_types()
    fields = [(IMAGE, _FILE), *((column, _FILE) for column in columns), *noted.items()]
    picture = {"_type": "Image"}
    plain = {name: {"_type": "Value", "dtype": dtype} for name, dtype in (("bytes", "binary"), ("path", "string"))}
    features: dict[str, Any] = {IMAGE: picture}
    features |= {column: plain if column.startswith("file_") else picture for column in columns}
    features |= {name: {"_type": "Value", "dtype": _TYPES.get(str(kind), str(kind))} for name, kind in noted.items()}
    return pa.schema(fields, metadata={"huggingface": json.dumps({"info": {"features": features}})})


def _noted_types() -> dict[str, pa.DataType]:
    return {"id": pa.string()} | {f.name: f.type for f in provenance.SCHEMA if f.name not in _LEFT_OUT}


def _addressed(row: Row, addresses: Sequence[str]) -> Row:
    return {**row, "image": addresses[0], "labels": list(addresses[1:])}
