"""Parquet as Hugging Face's `datasets` keeps pictures: a row per sample, pictures and label pictures in columns.

    data/train-00003-of-00010.parquet: image {bytes, path}, label {bytes, path}, ...

Columns of bytes, alone or with a path, are files. The picture is the one called image, img, picture, rgb, pixel_values
or input, or else the first; all others are its labels. Rows are named by their number and by their picture's path.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from stylize.datasets import shards
from stylize.datasets.matching import Layout
from stylize.datasets.tree import Tree, stem
from stylize.errors import ConfigurationError
from stylize.packed import open_parquet, parquet_address
from stylize.storage import Storage

SUFFIX = ".parquet"
PICTURE_NAMES = ("image", "img", "picture", "rgb", "pixel_values", "input")


def recognise(tree: Tree) -> bool:
    """Say whether there are Parquet files and no pictures beside them."""
    return shards.holds(tree, SUFFIX)


def unpack(storage: Storage, tree: Tree) -> Tree:
    """Return the addresses of all pictures and labels; of the shards only footers and paths are read."""
    return shards.unpacked(storage, tree, SUFFIX, addresses)


def addresses(storage: Storage, shard: str) -> Iterator[str]:
    """Yield the addresses of the pictures and labels of a shard; raises `ConfigurationError` when it has none."""
    try:
        file = open_parquet(storage, shard)
        picture, *labels = columns(file.schema_arrow)
        paths = {column: _paths(file, column) for column in (picture, *labels)}
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())
        raise ConfigurationError(
            f"{storage.locate(shard)} is no readable Parquet file ({reason}): fetch it again or take it away"
        ) from error
    except ValueError as error:
        raise ConfigurationError(
            f"{storage.locate(shard)} has no column of pictures, as {{bytes, path}} or bytes: it has {error}"
        ) from error
    folder, digits = shards.place(shard), len(str(file.metadata.num_rows))
    for row in range(file.metadata.num_rows):
        path = paths[picture][row]
        if path is None:
            continue
        key = "_".join(filter(None, (f"{row:0{max(6, digits)}d}", shards.key_of(stem(path)))))
        yield parquet_address(shard, row, picture, shards.named(shards.IMAGES, folder, key + _suffix(path)))
        for label in labels:
            if (path := paths[label][row]) is not None:
                name = f"{key}.{label}{_suffix(path)}"
                yield parquet_address(shard, row, label, shards.named(shards.LABELS, folder, name))


def columns(schema: pa.Schema) -> list[str]:
    """Return the columns that hold files, the picture first; raises `ValueError` with all names when there is none."""
    structs = [field.name for field in schema if pa.types.is_struct(field.type) and _holds_bytes(field.type)]
    found = structs or [field.name for field in schema if _is_binary(field.type)]
    if not found:
        raise ValueError(", ".join(schema.names) or "no columns")
    picture = next((name for name in PICTURE_NAMES if name in found), found[0])
    return [picture, *(name for name in found if name != picture)]


def _holds_bytes(kind: pa.StructType) -> bool:
    index = kind.get_field_index("bytes")
    return index >= 0 and _is_binary(kind.field(index).type)


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _paths(file: Any, column: str) -> list[str | None]:
    """Return the path in each row, "" for a file without one, None for no file."""
    kind = file.schema_arrow.field(column).type
    if not pa.types.is_struct(kind) or kind.get_field_index("path") < 0:
        return [""] * int(file.metadata.num_rows)
    cells = file.read(columns=[f"{column}.path"], use_threads=False).column(column)
    return [None if cell is None else cell["path"] or "" for cell in cells.to_pylist()]


def _suffix(path: str) -> str:
    """Return the ending of a file; what it holds is found out from its bytes, so that a missing one does no harm."""
    _, dot, suffix = path.rpartition("/")[2].rpartition(".")
    return f".{suffix}" if dot else ".png"


LAYOUT = Layout(
    name="parquet",
    example="data/train-00000-of-00004.parquet with columns image {bytes, path} and label {bytes, path}",
    recognise=recognise,
    collect=shards.collect,
    unpack=unpack,
)
