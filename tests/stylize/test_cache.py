"""The cache's format: rows go in and come out, codes are found without reading noise, half a cache is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipelines.worklist import build, chunks
from stylize import cache
from stylize.cache import CacheInfo, CacheReader, CacheRow, read_shard, shard_path, write_shard
from stylize.codec import encode_noise
from stylize.errors import ConfigurationError, StylizeError
from stylize.storage import Storage

INFO = CacheInfo(
    height=24, width=32, num_ws=4, w_dim=8, noise_shapes=((6, 6, 8), (6, 6, 8)), noise="int8", model_sha256="m" * 64
)


def row(name: str, seed: int = 0) -> CacheRow:
    rng = np.random.default_rng([seed, *name.encode()])
    noise = [rng.normal(size=shape).astype(np.float32) for shape in INFO.noise_shapes]
    (noise_0, scale_0), (noise_1, scale_1) = (encode_noise(n) for n in noise)
    return CacheRow(
        id=name,
        image=f"{name}.png",
        labels=(f"labels/{name}.png",),
        split="train",
        key=name,
        source_sha256="s" * 64,
        height=30,
        width=40,
        psnr=24.1,
        psnr_fp32=24.2,
        w_plus=rng.normal(size=(4, 8)).astype("<f4").tobytes(),
        scale_0=scale_0.tobytes(),
        scale_1=scale_1.tobytes(),
        noise_0=noise_0,
        noise_1=noise_1,
    )


def fields(rows: list[CacheRow]) -> list[dict[str, object]]:
    return [{k: bytes(v) if k in cache._BLOBS else v for k, v in vars(row).items()} for row in rows]


def make_cache(root: Path, names: list[str], failed: tuple[str, ...] = (), unit_size: int = 4) -> Storage:
    """Write a finished cache by hand, as the module's docstring describes it."""
    storage = Storage(root)
    units = list(chunks(sorted(names), unit_size))
    inputs = (
        [{"id": n, "image": f"{n}.png", "labels": [f"labels/{n}.png"], "split": "train", "key": n} for n in unit]
        for unit in units
    )
    storage.write("inputs.parquet", build(cache.INPUT_SCHEMA, inputs).data)
    shards = []
    for index, unit in enumerate(units):
        data = write_shard([row(name) for name in unit if name not in failed], INFO)
        storage.write(shard_path(index), data)
        shards.append([index, len(unit), len(data), "digest"])
    configuration = {**INFO.as_dict(), "unit_size": unit_size}
    storage.write_json(
        "run.json", {"kind": "invert", "configuration": configuration, "weights": "m" * 64, "units": len(units)}
    )
    failures = [[0, name, "bad-input", "empty"] for name in failed]
    storage.write_json("manifest.json", {"shards": shards, "failures": failures, "rows": len(names) - len(failed)})
    return storage


NAMES = [f"day/{number:02d}" for number in range(10)]


def test_rows_come_back_as_they_went_in_and_equal_rows_give_equal_bytes() -> None:
    rows = [row(name) for name in NAMES]
    data = write_shard(rows, INFO)
    assert data == write_shard([row(name) for name in NAMES], INFO)
    back = read_shard(data)
    assert [r["id"] for r in fields(back)] == NAMES
    assert [{**r, "psnr": 0, "psnr_fp32": 0} for r in fields(back)] == [
        {**r, "psnr": 0, "psnr_fp32": 0} for r in fields(rows)
    ]
    assert back[0].psnr == pytest.approx(24.1)


def test_a_shard_that_is_read_and_written_again_is_the_same_file() -> None:
    data = write_shard([row(name) for name in NAMES], INFO)
    assert write_shard(read_shard(data), INFO) == data


def test_the_file_is_laid_out_as_documented(tmp_path: Path) -> None:
    path = tmp_path / "shard.parquet"
    path.write_bytes(write_shard([row(f"{number:03d}") for number in range(70)], INFO))
    file = pq.ParquetFile(path)
    assert [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)] == [64, 6]
    assert json.loads(file.schema_arrow.metadata[b"stylize"])["noise_shapes"] == [[6, 6, 8], [6, 6, 8]]
    columns = {file.metadata.row_group(0).column(n).path_in_schema: n for n in range(file.metadata.num_columns)}
    for blob in cache._BLOBS:
        column = file.metadata.row_group(0).column(columns[blob])
        assert str(file.schema_arrow.field(blob).type) == "large_binary"
        assert column.compression == "UNCOMPRESSED"
        assert not column.has_dictionary_page
        assert column.statistics is None
    assert file.metadata.row_group(0).column(columns["id"]).compression == "ZSTD"


def test_codes_and_noise_have_their_shapes() -> None:
    example = row("a")
    assert example.codes(INFO).shape == (4, 8)
    assert [n.shape for n in example.noise(INFO)] == [(6, 6, 8), (6, 6, 8)]


def test_a_reader_finds_every_row_by_id(tmp_path: Path) -> None:
    reader = CacheReader(make_cache(tmp_path, NAMES))
    assert len(reader) == 10
    assert reader.units == 3
    assert reader.info == INFO
    for number, name in enumerate(NAMES):
        assert reader.locate(name) == number // 4
        assert np.array_equal(reader.codes(name), row(name).codes(INFO))
        assert fields([reader.row(name)])[0]["noise_0"] == row(name).noise_0
    assert [entry.id for entry in reader.entries()] == NAMES
    assert [(entry.id, entry.unit) for entry in reader.entries(2)] == [(NAMES[8], 2), (NAMES[9], 2)]
    assert [r.id for r in reader.rows(1)] == NAMES[4:8]


def test_unknown_and_failed_ids_are_told_apart(tmp_path: Path) -> None:
    reader = CacheReader(make_cache(tmp_path, NAMES, failed=(NAMES[1],)))
    assert len(reader) == 9
    assert NAMES[1] not in [entry.id for entry in reader.entries()]
    with pytest.raises(StylizeError, match="failed to invert"):
        reader.codes(NAMES[1])
    for name in ("day/999", "a", ""):
        with pytest.raises(StylizeError, match="is unknown"):
            reader.locate(name)


class CountingStorage(Storage):
    """Adds up the bytes that are read."""

    taken = 0

    def read_range(self, path: str, start: int | None, end: int | None) -> bytes:
        data = super().read_range(path, start, end)
        self.taken += len(data)
        return data


def test_codes_are_read_without_the_noise_maps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wide = replace(INFO, noise_shapes=((64, 64, 64), (64, 64, 64)))
    maps = np.random.default_rng(0).normal(size=(64, 64, 64)).astype(np.float32)
    blob, scale = encode_noise(maps)
    names = NAMES[:4]
    make_cache(tmp_path, names)
    big = write_shard(
        [replace(row(n), noise_0=blob, noise_1=blob, scale_0=scale.tobytes(), scale_1=scale.tobytes()) for n in names],
        wide,
    )
    (tmp_path / shard_path(0)).write_bytes(big)
    storage = CountingStorage(tmp_path)
    manifest = storage.read_json("manifest.json")
    storage.write_json("manifest.json", {**manifest, "shards": [[0, 4, len(big), "digest"]]})
    reader = CacheReader(storage)
    storage.taken = 0
    assert np.array_equal(reader.codes(names[2]), row(names[2]).codes(INFO))
    assert storage.taken < len(big) / 10
    before = storage.taken
    assert np.array_equal(reader.codes(names[3]), row(names[3]).codes(INFO))
    assert storage.taken == before, "the same column is read once"
    assert bytes(reader.row(names[1]).noise_1) == blob


def test_the_least_recently_used_table_leaves_first(tmp_path: Path) -> None:
    storage = CountingStorage(make_cache(tmp_path, NAMES).url)
    one_shard = CacheReader(storage).columns(0).nbytes
    reader = CacheReader(storage, memory=int(2.1 * one_shard))

    def reads(unit: int) -> bool:
        before = storage.taken
        reader.columns(unit)
        return storage.taken > before

    assert [reads(unit) for unit in (0, 1, 0, 1)] == [True, True, False, False]
    assert [reads(unit) for unit in (0, 2, 0, 1)] == [False, True, False, True]


def test_what_is_no_finished_cache_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"is no cache .*stylize invert"):
        CacheReader(Storage(tmp_path / "nothing"))
    storage = make_cache(tmp_path / "half", NAMES)
    storage.write("commits/00000.json", b"{}")
    storage.remove("manifest.json")
    with pytest.raises(ConfigurationError, match=r"not finished \(1 of 3 units\).*invert"):
        CacheReader(storage)
    storage.write_json("run.json", {"kind": "mix"})
    with pytest.raises(ConfigurationError, match="stylize mix"):
        CacheReader(storage)


def test_a_damaged_shard_names_itself_and_the_remedy(tmp_path: Path) -> None:
    storage = make_cache(tmp_path, NAMES)
    storage.write(shard_path(1), storage.read(shard_path(1))[:-50])
    with pytest.raises(StylizeError, match=r"00001\.parquet is damaged .*verify --repair"):
        CacheReader(storage).row(NAMES[5])
