"""Inversion end to end on tiny pictures: right rows, byte-identical whatever happened on the way, failures told."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipelines import inverter
from pipelines.events import Event, Note
from pipelines.invert import describe, invert, work_list
from pipelines.summary import Summary
from stylize.cache import CacheReader
from stylize.errors import BadInput, ConfigurationError, FatalError
from stylize.images import decode_rgb, encode, to_model
from stylize.metrics import psnr
from stylize.models.bundle import load_bundle
from stylize.storage import Storage
from tests.pipelines.helpers import picture, tree, write_dataset

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def run(dataset: Path, tmp_path: Path, tiny_model: str) -> Any:
    """Invert the ten pictures into `tmp_path / name`, four to a shard, three to a batch."""

    def start(name: str = "cache", data: Path = dataset, **options: Any) -> Summary:
        options = {"model": tiny_model, "unit_size": 4, "batch_size": 3, "device": "cpu", **options}
        return invert(data, tmp_path / name, **options)

    return start


def test_every_picture_becomes_a_row_that_renders_as_recorded(run: Any, tmp_path: Path, tiny_model: str) -> None:
    summary = run()
    assert (summary.rows, summary.units, summary.failed, summary.exit_code) == (10, 3, 0, 0)
    reader, bundle = CacheReader(Storage(tmp_path / "cache")), load_bundle(tiny_model, device="cpu")
    assert [entry.id for entry in reader.entries()] == [f"train/0001TP_{n:03d}" for n in range(10)]
    for unit in range(3):
        for row in reader.rows(unit):
            data = (tmp_path / "data" / row.image).read_bytes()
            image_BCHW = torch.from_numpy(to_model(decode_rgb(data), 24, 32))[None]
            codes = bundle.invert(image_BCHW)
            assert np.allclose(row.codes(reader.info), codes.ws_BLD[0], atol=1e-4)
            for stored, exact in zip(row.noise(reader.info), codes.noise, strict=True):
                assert np.abs(stored - exact[0].numpy()).max() <= 0.51 * exact.numpy().std(axis=(0, 2, 3)).max() / 4
            noise = [torch.from_numpy(n)[None] for n in row.noise(reader.info)]
            shown = bundle.render(torch.from_numpy(row.codes(reader.info).copy())[None], noise).clamp(-1, 1)
            assert row.psnr == pytest.approx(float(psnr(shown, image_BCHW)), abs=1e-3)
            assert row.psnr_fp32 == pytest.approx(
                float(psnr(bundle.render(codes.ws_BLD, codes.noise).clamp(-1, 1), image_BCHW)), abs=1e-3
            )
            assert (row.height, row.width, row.split, row.labels) == (30, 40, "train", (f"trainannot/{row.key}.png",))


def test_the_summary_says_what_reconstruction_and_storage_came_to(run: Any, tmp_path: Path) -> None:
    summary = run()
    rows = [row for unit in range(3) for row in CacheReader(Storage(tmp_path / "cache")).rows(unit)]
    assert summary.mean("psnr") == pytest.approx(np.mean([row.psnr for row in rows]), abs=1e-3)
    floats = 10 * (8 * 8 + 2 * 8 * 6 * 8)  # codes and two noise maps of ten pictures
    assert summary.figures["raw_bytes"] == 4 * floats
    reconstruction, storage = describe(summary)
    assert f"{summary.mean('psnr'):.2f} dB" in reconstruction
    assert f"{summary.bytes / 10 / 1e3:.1f} kB per image" in storage


def test_bytes_do_not_depend_on_threads_on_units_in_flight_or_on_the_order_of_files(
    run: Any, tmp_path: Path, dataset: Path
) -> None:
    run("one", workers=1, io_threads=1)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        run("many", workers=4, io_threads=8)
    finally:
        torch.set_num_threads(before)
    names = sorted(p.stem for p in (dataset / "train").iterdir())
    shuffled = write_dataset(tmp_path / "elsewhere" / "data", list(reversed(names)))
    run("moved", shuffled)
    assert tree(tmp_path / "one") == tree(tmp_path / "many")
    without = ("commits/", "run.json")
    assert tree(tmp_path / "one", without=without) == tree(tmp_path / "moved", without=without)


def test_a_row_does_not_depend_on_its_neighbours(run: Any, tmp_path: Path, dataset: Path) -> None:
    run("whole")
    (dataset / "train" / "0001TP_001.png").write_bytes(b"broken")
    run("holed", max_failures=1)
    whole, holed = (CacheReader(Storage(tmp_path / name)) for name in ("whole", "holed"))
    for entry in holed.entries():
        first, second = (reader.row(entry.id) for reader in (whole, holed))
        assert bytes(first.noise_0) == bytes(second.noise_0)
        assert bytes(first.w_plus) == bytes(second.w_plus)
        assert first.psnr == second.psnr


def test_each_bad_input_is_recorded_with_its_reason_and_the_rest_is_done(run: Any, dataset: Path) -> None:
    damage = {
        "train/0001TP_000.png": encode(picture(1), "png")[:-200],
        "train/0001TP_001.png": b"",
        "train/0001TP_002.png": b"hello",
        "train/0001TP_003.png": encode(picture(1, 1, 1), "png"),
        "train/0001TP_004.png": encode(picture(1, 9, 20_000), "png"),
        "trainannot/0001TP_005.png": encode(picture(1, 30, 39), "png"),
    }
    for path, data in damage.items():
        (dataset / path).write_bytes(data)
    (dataset / "trainannot" / "0001TP_006.png").unlink()
    summary = run()
    reasons = {failure.id[-3:]: failure.cause for failure in summary.failures}
    assert reasons == {
        "000": "unreadable picture",
        "001": "unreadable picture",
        "002": "unreadable picture",
        "003": "picture size",
        "004": "picture shape",
        "005": "label size",
        "006": "missing label",
    }
    assert (summary.rows, summary.failed, summary.exit_code) == (3, 7, 3)
    assert summary.causes["unreadable picture"] == 3
    assert all("\n" not in failure.reason for failure in summary.failures)
    assert run(max_failures=7).exit_code == 0


def test_a_shard_of_failures_only_is_no_file(run: Any, tmp_path: Path, dataset: Path) -> None:
    for number in range(4):
        (dataset / "train" / f"0001TP_{number:03d}.png").write_bytes(b"")
    assert run().rows == 6
    assert sorted(p.name for p in (tmp_path / "cache" / "shards").iterdir()) == ["00001.parquet", "00002.parquet"]
    assert len(list(CacheReader(Storage(tmp_path / "cache")).entries())) == 6


def test_failed_pictures_are_tried_again_and_the_good_rows_stay(run: Any, tmp_path: Path, dataset: Path) -> None:
    whole = dataset / "train" / "0001TP_005.png"
    run("whole")
    kept = whole.read_bytes()
    whole.write_bytes(kept[:100])
    run("mended", max_failures=1)
    assert run("mended", max_failures=1).failed == 1, "without --retry-failed nothing is tried again"
    assert run("mended", retry_failed=True, max_failures=1).failed == 1, "it is still broken"
    seen: list[str] = []
    whole.write_bytes(kept)
    original = inverter.load_picture

    def watched(dataset: Storage, row: Any, *args: Any, **options: Any) -> Any:
        seen.append(row["id"])
        return original(dataset, row, *args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inverter, "load_picture", watched)
        summary = run("mended", retry_failed=True)
    assert seen == ["train/0001TP_005"]
    assert (summary.failed, summary.exit_code, summary.skipped) == (0, 0, 2)
    assert tree(tmp_path / "mended") == tree(tmp_path / "whole")


def test_pictures_without_any_labels_are_inverted_too(run: Any, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.jpg").write_bytes(encode(picture(number), "jpeg"))
    assert run("photos-cache", folder).rows == 3


def test_fp16_noise_is_kept_nearly_exactly(run: Any, tmp_path: Path) -> None:
    run("fp16", noise="fp16")
    reader = CacheReader(Storage(tmp_path / "fp16"))
    assert reader.info.noise == "fp16"
    assert all(abs(row.psnr - row.psnr_fp32) < 0.01 for row in reader.rows(0))


def test_the_configuration_is_compared_and_what_differs_is_named(run: Any, tiny_model: str, tmp_path: Path) -> None:
    run()
    for options, clause in (
        ({"noise": "fp16"}, 'noise is "int8" there and "fp16" here'),
        ({"unit_size": 5}, "unit_size is 4 there and 5 here"),
        ({"limit": 7}, "limit is not set there and 7 here"),
    ):
        with pytest.raises(ConfigurationError, match=clause):
            run(**options)
    run(batch_size=2)  # how, not what
    other = tmp_path / "other.safetensors"
    bundle = load_bundle(tiny_model, device="cpu")
    bundle.card = {"other": True}
    other.write_bytes(bundle.to_bytes())
    with pytest.raises(ConfigurationError, match="weights is"):
        run(model=str(other))


def test_impossible_options_are_refused_before_anything_is_written(run: Any, tmp_path: Path, dataset: Path) -> None:
    for options in ({"noise": "int4"}, {"unit_size": 0}, {"batch_size": 0}, {"limit": 0}, {"engine": "spark"}):
        with pytest.raises(ConfigurationError):
            run(**options)
    with pytest.raises(ConfigurationError, match="dataset's own folder"):
        run(str(dataset))
    with pytest.raises(FatalError, match=r"missing\.safetensors"):
        run(model="missing.safetensors")
    assert not (tmp_path / "cache").exists()


def test_limit_takes_the_first_pictures_by_id_and_the_layout_is_told(run: Any, tmp_path: Path) -> None:
    events: list[Event] = []
    assert run(limit=5, on_event=events.append).rows == 5
    assert [entry.id[-3:] for entry in CacheReader(Storage(tmp_path / "cache")).entries()] == [
        f"{number:03d}" for number in range(5)
    ]
    assert any(isinstance(event, Note) and "camvid" in event.text for event in events)


def test_a_picture_whose_noise_is_not_finite_is_a_failure_of_its_own(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    original, count = inverter.encode_noise, iter(range(1000))

    def sick(noise_CHW: Any, mode: Any) -> Any:
        if next(count) == 4:
            raise BadInput("not finite: NaN")
        return original(noise_CHW, mode)

    monkeypatch.setattr(inverter, "encode_noise", sick)
    summary = run(workers=1)
    assert (summary.rows, summary.causes) == (9, {"not finite": 1})


def test_samples_are_sorted_into_units_whatever_their_order(dataset: Path) -> None:
    from stylize.datasets.base import open_dataset

    samples = open_dataset(dataset).samples
    assert work_list(samples, 3).sha256 == work_list(samples[::-1], 3).sha256
    assert work_list([replace(samples[0], labels=())], 3).sha256 != work_list(samples[:1], 3).sha256


KILLED = """
import sys, time
from pipelines import inverter
from pipelines.invert import invert
original = inverter.load_picture
def slow(*args, **options):
    time.sleep(0.05)
    return original(*args, **options)
inverter.load_picture = slow
invert(sys.argv[1], sys.argv[2], model=sys.argv[3], unit_size=1, batch_size=3, device="cpu", workers=2)
"""


def test_killed_in_the_middle_and_run_again_gives_the_same_bytes(
    run: Any, tmp_path: Path, dataset: Path, tiny_model: str
) -> None:
    run("whole", unit_size=1)
    cut = tmp_path / "cut"
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "2"}
    process = subprocess.Popen([sys.executable, "-c", KILLED, dataset, cut, tiny_model], env=environment)
    while process.poll() is None and not any(cut.glob("commits/*.json")):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "it ended before it could be killed"
    assert not (cut / "manifest.json").exists()
    summary = run("cut", unit_size=1)
    assert 0 < summary.skipped < 10
    assert tree(cut) == tree(tmp_path / "whole")
    assert not [path for path in cut.rglob("*") if path.name.startswith(".")]


def test_a_model_file_that_changes_during_the_run_is_noticed(
    run: Any, tmp_path: Path, tiny_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "model.safetensors"
    shutil.copy(tiny_model, model)
    original = inverter.InvertSpec.create

    def swapped(spec: inverter.InvertSpec) -> inverter.Inverter:
        bundle = load_bundle(tiny_model, device="cpu")
        bundle.card = {"another": 1}
        model.write_bytes(bundle.to_bytes())
        return original(spec)

    monkeypatch.setattr(inverter.InvertSpec, "create", swapped)
    with pytest.raises(FatalError, match="changed since the run began"):
        run(model=str(model))


def test_a_precision_is_part_of_what_a_run_is_and_shows_in_its_bytes(run: Any, tmp_path: Path) -> None:
    run()
    with pytest.raises(ConfigurationError, match='precision is "fp32" there and "bf16" here'):
        run(precision="bf16")
    run("coarse", precision="bf16")
    exact, coarse = (next(CacheReader(Storage(tmp_path / name)).rows(0)) for name in ("cache", "coarse"))
    assert bytes(memoryview(exact.w_plus)) != bytes(memoryview(coarse.w_plus))
    with pytest.raises(ConfigurationError, match="precision"):
        run("third", precision="fp64")
    assert not (tmp_path / "third").exists()
