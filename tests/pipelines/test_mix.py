"""Mixing end to end on tiny pictures: the dataset's own tree, the right pairs, the same bytes, failures told."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipelines.events import Note
from pipelines.invert import invert
from pipelines.mix import describe, mix, resume
from pipelines.mixrun import owned
from pipelines.provenance import read_rows
from pipelines.summary import Summary
from pipelines.worklist import WorkList
from stylize.cache import CacheReader
from stylize.colormap import ColorMap
from stylize.errors import ConfigurationError, FatalError
from stylize.images import decode_label, decode_rgb, encode
from stylize.models.bundle import Bundle, load_bundle
from stylize.render import recolour
from stylize.storage import Storage
from tests.pipelines.conftest import ENCODER, GENERATOR
from tests.pipelines.helpers import picture, tree, write_dataset

IDS = [f"train/0001TP_{number:03d}" for number in range(10)]


@pytest.fixture
def cache(dataset: Path, tmp_path: Path, tiny_model: str) -> Path:
    """The cache of the ten pictures, four to a shard."""
    (dataset / "classes.json").write_text("{}")
    invert(dataset, tmp_path / "cache", model=tiny_model, unit_size=4, batch_size=3, device="cpu")
    return tmp_path / "cache"


@pytest.fixture
def run(cache: Path, tmp_path: Path) -> Any:
    """Mix the cache into `tmp_path / name`, three to a batch."""

    def start(name: str = "out", **options: Any) -> Summary:
        return mix(cache, tmp_path / name, **{"batch_size": 3, "device": "cpu", **options})

    return start


def provenance(out: Path) -> list[dict[str, Any]]:
    return [row for path in sorted(out.glob("provenance/*.parquet")) for row in read_rows(path.read_bytes())]


def test_the_output_is_a_dataset_like_the_input_with_the_labels_byte_for_byte(
    run: Any, dataset: Path, tmp_path: Path
) -> None:
    summary = run()
    assert (summary.rows, summary.units, summary.failed, summary.exit_code) == (10, 3, 0, 0)
    out = tmp_path / "out"
    given, made = tree(dataset), tree(out, without=("commits/", "provenance/", "plan", "run", "manifest", "sheet"))
    assert made.keys() == given.keys()
    for path, data in given.items():
        if path.startswith("train/"):
            assert decode_rgb(made[path]).shape == (30, 40, 3)
            assert made[path] != data
        else:
            assert made[path] == data
    assert decode_rgb((out / "sheet.png").read_bytes()).shape[1] > 1000
    assert f"{summary.mean('shift'):.1f} grey levels" in describe(summary)[0]


def test_pictures_are_what_the_library_makes_of_the_recorded_pair(
    run: Any, cache: Path, dataset: Path, tmp_path: Path, tiny_model: str
) -> None:
    run(strength=0.7, layers="0-2")
    reader, bundle = CacheReader(Storage(cache)), load_bundle(tiny_model, device="cpu")
    rows = provenance(tmp_path / "out")
    assert [row["content"] for row in rows] == IDS
    for row in rows[:4]:
        content, exemplar = reader.row(row["content"]), reader.row(row["exemplar"])
        ws = torch.from_numpy(content.codes(reader.info).copy())[None]
        mixed = ws.clone()
        mixed[:, :3] += 0.7 * (torch.from_numpy(exemplar.codes(reader.info).copy()) - ws)[:, :3]
        noise = [torch.from_numpy(n)[None] for n in content.noise(reader.info)]
        base, styled = (bundle.render(codes, noise)[0].clamp(-1, 1) for codes in (ws, mixed))
        source = decode_rgb((dataset / row["content_source"]).read_bytes())
        expected = recolour(source, base, styled).astype(int)
        assert abs(decode_rgb((tmp_path / "out" / row["image"]).read_bytes()) - expected).max() <= 1
        assert row["exemplar"] != row["content"]
        assert (row["exemplar_source"], row["exemplar_sha256"]) == (exemplar.image, exemplar.source_sha256)
        assert (row["strength"], row["layers"], row["weights"]) == (0.7, [0, 1, 2], bundle.sha256)
        assert row["method"] == "stylization"
        assert row["shift"] == pytest.approx(float((styled - base).abs().mean()) * 127.5, abs=1e-2)


def test_copies_are_numbered_from_the_second_on_and_have_exemplars_of_their_own(run: Any, tmp_path: Path) -> None:
    assert run(per_image=3).rows == 30
    rows = provenance(tmp_path / "out")
    for number, content in enumerate(IDS):
        copies = rows[3 * number : 3 * number + 3]
        assert [row["image"] for row in copies] == [f"{content}.png", f"{content}__1.png", f"{content}__2.png"]
        assert [row["labels"] for row in copies] == [
            [path.replace("train/", "trainannot/")] for path in (row["image"] for row in copies)
        ]
        assert len({row["exemplar"] for row in copies}) == 3
        for row in copies:
            assert (tmp_path / "out" / row["labels"][0]).read_bytes() == (
                tmp_path / "data" / f"trainannot/{content[6:]}.png"
            ).read_bytes()


def test_strength_zero_gives_back_the_source(run: Any, dataset: Path, tmp_path: Path) -> None:
    run(strength=0)
    for content in IDS:
        given, made = ((root / f"{content}.png").read_bytes() for root in (dataset, tmp_path / "out"))
        assert np.array_equal(decode_rgb(made), decode_rgb(given))


def test_a_range_gives_each_copy_a_strength_of_its_own_that_the_plan_records(
    run: Any, cache: Path, dataset: Path, tmp_path: Path, tiny_model: str
) -> None:
    run(strength="0.5-1.8", per_image=2)
    work = WorkList((tmp_path / "out/plan.parquet").read_bytes())
    planned = [row["strength"] for unit in range(len(work)) for row in work.rows(unit)]
    rows = provenance(tmp_path / "out")
    assert [row["strength"] for row in rows] == planned
    assert len(set(planned)) == 20
    assert 0.5 <= min(planned) < 1 < max(planned) <= 1.8
    reader, bundle = CacheReader(Storage(cache)), load_bundle(tiny_model, device="cpu")
    for row in (min(rows, key=lambda row: row["strength"]), max(rows, key=lambda row: row["strength"])):
        content, exemplar = (reader.row(row[name]) for name in ("content", "exemplar"))
        ws, other = (torch.from_numpy(cached.codes(reader.info).copy())[None] for cached in (content, exemplar))
        noise = [torch.from_numpy(n)[None] for n in content.noise(reader.info)]
        mixed = ws + row["strength"] * (other - ws)
        base, styled = (bundle.render(codes, noise)[0].clamp(-1, 1) for codes in (ws, mixed))
        expected = recolour(decode_rgb((dataset / row["content_source"]).read_bytes()), base, styled).astype(int)
        assert abs(decode_rgb((tmp_path / "out" / row["image"]).read_bytes()) - expected).max() <= 1
    run("one", strength=(0.7, 0.7), limit=3)
    assert Storage(tmp_path / "one").read_json("run.json")["configuration"]["strength"] == 0.7


def test_bytes_do_not_depend_on_threads_units_in_flight_or_interruptions(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("plain", workers=1, io_threads=1)
    run("wide", workers=3, io_threads=5)
    apply, calls = ColorMap.apply, []

    def stop(self: ColorMap, source: Any) -> Any:
        calls.append(1)
        if len(calls) == 6:
            raise FatalError("stopped in the middle")
        return apply(self, source)

    with monkeypatch.context() as patch:
        patch.setattr(ColorMap, "apply", stop)
        with pytest.raises(FatalError, match="stopped"):
            run("stopped", workers=1)
    assert run("stopped").skipped >= 1
    expected = tree(tmp_path / "plain")
    assert tree(tmp_path / "wide") == expected
    assert tree(tmp_path / "stopped") == expected


def test_another_batch_size_changes_no_pair_and_no_pixel_by_more_than_one(run: Any, tmp_path: Path) -> None:
    run("three", batch_size=3)
    run("eight", batch_size=8)
    assert [row["exemplar"] for row in provenance(tmp_path / "three")] == [
        row["exemplar"] for row in provenance(tmp_path / "eight")
    ]
    for content in IDS:
        one, other = (decode_rgb((tmp_path / name / f"{content}.png").read_bytes()) for name in ("three", "eight"))
        assert abs(one.astype(int) - other).max() <= 1


def test_size_model_writes_the_synthesis_and_labels_that_fit_it(run: Any, dataset: Path, tmp_path: Path) -> None:
    run(size="model")
    for content in IDS:
        assert decode_rgb((tmp_path / "out" / f"{content}.png").read_bytes()).shape == (24, 32, 3)
        label = f"trainannot/{content[6:]}.png"
        large, small = (decode_label((root / label).read_bytes()) for root in (dataset, tmp_path / "out"))
        assert small.shape[:2] == (24, 32)
        assert set(map(tuple, small.reshape(-1, 3))) <= set(map(tuple, large.reshape(-1, 3)))


def test_exemplars_of_another_cache(run: Any, cache: Path, tmp_path: Path, tiny_model: str) -> None:
    photographs = tmp_path / "photographs"
    photographs.mkdir()
    for number in range(3):
        (photographs / f"{number}.jpg").write_bytes(encode(picture(number + 50, 40, 50), "jpeg"))
    invert(photographs, tmp_path / "styles", model=tiny_model, device="cpu")
    notes: list[str] = []
    summary = run(
        styles=tmp_path / "styles",
        per_image=4,
        on_event=lambda event: notes.append(event.text) if isinstance(event, Note) else None,
    )
    assert summary.rows == 40
    rows = provenance(tmp_path / "out")
    assert {row["exemplar"] for row in rows} == {"0", "1", "2"}
    assert {row["exemplar_source"] for row in rows} == {"0.jpg", "1.jpg", "2.jpg"}
    assert any("4 copies of each picture and 3 exemplars" in note for note in notes)


def test_styles_of_another_model_are_refused_by_name(run: Any, dataset: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    other.write_bytes(Bundle.create(GENERATOR, ENCODER, seed=2).to_bytes())
    invert(dataset, tmp_path / "styles", model=str(other), device="cpu")
    with pytest.raises(ConfigurationError, match=r"other\.safetensors.*tiny\.safetensors.*same model"):
        run(styles=tmp_path / "styles")
    with pytest.raises(ConfigurationError, match=r"model .*other\.safetensors.* is not the one"):
        run(model=other)
    assert not (tmp_path / "out").exists()


def test_a_source_that_is_gone_or_changed_and_a_label_of_another_size_fail_alone_and_can_be_retried(
    run: Any, dataset: Path, tmp_path: Path
) -> None:
    shutil.copytree(dataset, tmp_path / "kept")
    (dataset / f"{IDS[1]}.png").unlink()
    (dataset / f"{IDS[2]}.png").write_bytes(encode(picture(99), "png"))
    (dataset / "trainannot/0001TP_005.png").write_bytes(encode(picture(1, 10, 10), "png"))
    (dataset / "trainannot/0001TP_006.png").write_bytes(b"")
    (dataset / "trainannot/0001TP_007.png").unlink()
    summary = run(max_failures=4)
    assert (summary.rows, summary.failed, summary.exit_code) == (5, 5, 3)
    reasons = {failure.id: failure.reason for failure in summary.failures}
    assert reasons.keys() == {IDS[n] for n in (1, 2, 5, 6, 7)}
    assert reasons[IDS[1]].startswith("missing file: ")
    assert reasons[IDS[2]] == f"changed picture: {IDS[2]}.png is not the file that was inverted; invert it again"
    assert reasons[IDS[5]] == "label size: trainannot/0001TP_005.png is 10x10, the picture is 40x30"
    assert reasons[IDS[6]].startswith("unreadable label: trainannot/0001TP_006.png")
    assert reasons[IDS[7]].startswith("missing file: ")
    assert not (tmp_path / "out" / f"{IDS[5]}.png").exists()
    shutil.copytree(tmp_path / "kept", dataset, dirs_exist_ok=True)
    assert run(retry_failed=True).rows == 10
    run("fresh")
    assert tree(tmp_path / "out") == tree(tmp_path / "fresh")


def test_splits_limit_contents_and_exemplars(dataset: Path, tmp_path: Path, tiny_model: str) -> None:
    write_dataset(dataset, ["0002_a", "0002_b"], split="val")
    invert(dataset, tmp_path / "cache", model=tiny_model, unit_size=4, device="cpu")
    assert mix(tmp_path / "cache", tmp_path / "out", split="val", device="cpu").rows == 2
    rows = provenance(tmp_path / "out")
    assert [(row["content"], row["exemplar"]) for row in rows] == [
        ("val/0002_a", "val/0002_b"),
        ("val/0002_b", "val/0002_a"),
    ]
    with pytest.raises(ConfigurationError, match=r"no split 'test' in the cache .*: it has train, val"):
        mix(tmp_path / "cache", tmp_path / "other", split="test", device="cpu")


def test_an_even_mix_uses_exemplars_equally_often_and_resumes_as_such(run: Any, tmp_path: Path) -> None:
    run(per_image=3, even=True, limit=7)
    rows = provenance(tmp_path / "out")
    used = Counter(row["exemplar"] for row in rows)
    assert (len(rows), sorted(used.values())) == (21, [2] * 9 + [3])
    assert all(row["exemplar"] != row["content"] for row in rows)
    storage = Storage(tmp_path / "out")
    storage.remove("commits/00001.json")
    assert resume(storage.read_json("run.json"), storage.url, device="cpu").skipped == 1
    assert provenance(tmp_path / "out") == rows
    with pytest.raises(ConfigurationError, match="even is true there and false here"):
        run(per_image=3, limit=7)


def test_a_limit_changes_no_pair(run: Any, tmp_path: Path) -> None:
    run("all")
    run("some", limit=5)
    every, some = (
        [(row["content"], row["exemplar"]) for row in provenance(tmp_path / name)] for name in ("all", "some")
    )
    assert some == every[:5]


def test_a_second_run_does_nothing_and_another_configuration_is_refused(run: Any, tmp_path: Path) -> None:
    run()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.png")}
    assert run().skipped == 3
    before.pop(tmp_path / "out" / "sheet.png")
    assert before == {path: path.stat().st_mtime_ns for path in before}
    with pytest.raises(ConfigurationError, match="seed is 0 there and 1 here"):
        run(seed=1)
    assert run(seed=1, overwrite=True).rows == 10


def test_resume_goes_on_with_the_recorded_options(run: Any, tmp_path: Path) -> None:
    run(per_image=2, layers="1-3", strength="0.5-1.5", seed=4)
    storage = Storage(tmp_path / "out")
    storage.remove("commits/00001.json")
    summary = resume(storage.read_json("run.json"), storage.url, device="cpu")
    assert (summary.rows, summary.skipped) == (20, 2)


def test_owned_names_everything_that_may_lie_around_after_a_kill(run: Any, tmp_path: Path) -> None:
    run(per_image=2)
    assert {path for path in tree(tmp_path / "out") if path.startswith("train")} <= set(
        owned(Storage(tmp_path / "out"))
    )


def test_one_picture_alone_cannot_be_mixed_with_itself(tmp_path: Path, tiny_model: str) -> None:
    write_dataset(tmp_path / "one", ["0001_a"])
    invert(tmp_path / "one", tmp_path / "cache", model=tiny_model, device="cpu")
    with pytest.raises(FatalError, match=r"train/0001_a: 1 exemplar.*--styles"):
        mix(tmp_path / "cache", tmp_path / "out", device="cpu")


def test_other_kinds_of_pictures_leave_upright_as_png_or_jpeg(tmp_path: Path, tiny_model: str) -> None:
    from PIL import Image

    data = tmp_path / "photographs"
    data.mkdir()
    grey = Image.fromarray(picture(1, 40, 60)[..., 0])
    exif = Image.Exif()
    exif[0x0112] = 6
    grey.save(data / "turned.jpg", exif=exif)
    grey.convert("P").save(data / "palette.png")
    Image.fromarray(picture(3, 40, 60)).save(data / "other.bmp")
    invert(data, tmp_path / "cache", model=tiny_model, device="cpu")
    assert mix(tmp_path / "cache", tmp_path / "out", device="cpu").rows == 3
    shapes = {name: decode_rgb((tmp_path / "out" / name).read_bytes()).shape for name in ("palette.png", "other.png")}
    assert shapes == {"palette.png": (40, 60, 3), "other.png": (40, 60, 3)}
    assert decode_rgb((tmp_path / "out" / "turned.jpg").read_bytes()).shape == (60, 40, 3)


def test_outputs_that_would_share_a_name_are_refused(tmp_path: Path, tiny_model: str) -> None:
    write_dataset(tmp_path / "data", ["0001", "0001__1", "0002"])
    invert(tmp_path / "data", tmp_path / "cache", model=tiny_model, device="cpu")
    assert mix(tmp_path / "cache", tmp_path / "one", device="cpu").rows == 3
    with pytest.raises(ConfigurationError, match=r"two outputs would be called train/0001__1\.png"):
        mix(tmp_path / "cache", tmp_path / "two", per_image=2, device="cpu")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"per_image": 0}, "copies per image must be at least 1"),
        ({"strength": 2.5}, "strength must be between 0 .* and 2"),
        ({"strength": "1-0.5"}, "runs backwards"),
        ({"size": "huge"}, "size is source or model"),
        ({"layers": "0-40"}, "this model has layers 0-"),
    ],
)
def test_options_that_do_not_fit_are_refused(run: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        run(**options)


def test_the_output_cannot_be_an_input(run: Any, cache: Path, dataset: Path) -> None:
    for place in (cache, dataset):
        with pytest.raises(ConfigurationError, match="choose another folder"):
            mix(cache, place, device="cpu")


def test_the_plan_is_a_file_with_one_row_group_per_unit(run: Any, tmp_path: Path) -> None:
    run(per_image=2)
    work = WorkList((tmp_path / "out/plan.parquet").read_bytes())
    assert [len(work.rows(unit)) for unit in range(len(work))] == [8, 8, 4]
    row = work.rows(1)[1]
    assert (row["id"], row["k"], row["unit"], row["image"]) == (IDS[4], 1, 1, f"{IDS[4]}__1.png")
