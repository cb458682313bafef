"""Caches are told about, their pictures shown, their codes handed out; what is no cache gets the command that fits."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from pipelines.inspect import inspect
from pipelines.inspectpicture import difference
from pipelines.invert import invert
from pipelines.mix import mix
from pipelines.proxy import proxy_build
from stylize.cache import CacheReader
from stylize.errors import ConfigurationError
from stylize.images import decode_rgb
from stylize.models.bundle import load_bundle
from stylize.storage import Storage
from tests.pipelines.helpers import write_dataset

ID = "train/0001TP_003"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, tiny_model: str) -> Path:
    """A folder with ten pictures, of which one is broken, and their cache."""
    root = tmp_path_factory.mktemp("made")
    data = write_dataset(root / "data", [f"0001TP_{number:03d}" for number in range(10)])
    (data / "train/0001TP_007.png").write_bytes(b"")
    invert(data, root / "cache", model=tiny_model, unit_size=4, device="cpu")
    return root


@pytest.fixture
def cache(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(made / "cache", tmp_path / "cache"))


def test_an_overview(cache: Path) -> None:
    found = inspect(cache)
    assert (found.survey.total.rows, found.survey.total.failed, found.info.num_ws) == (9, 1, found.info.num_ws)
    reader = CacheReader(Storage(cache))
    rows = sorted((row.psnr, row.id) for unit in range(reader.units) for row in reader.rows(unit))
    assert [name for name, _ in found.lowest] == [name for _, name in rows[:3]]
    assert set(found.ids) < {name for _, name in rows}
    assert 3 <= len(found.ids) <= 6
    assert (found.row, found.picture, found.exported) == (None, None, None)


def test_an_overview_of_an_unfinished_cache(cache: Path) -> None:
    (cache / "manifest.json").unlink()
    (cache / "commits/00001.json").unlink()
    found = inspect(cache)
    assert found.survey.state == "unfinished: 2 of 3 units"
    assert found.ids == ()
    with pytest.raises(ConfigurationError, match=r"is not finished .*stylize invert"):
        inspect(cache, ID)


def test_a_picture_beside_its_reconstruction(cache: Path, tmp_path: Path) -> None:
    found = inspect(cache, ID)
    assert found.row is not None
    assert (found.row.id, found.notes) == (ID, ())
    assert found.picture == str(tmp_path / "train_0001TP_003.png")
    height, width = decode_rgb(Path(found.picture).read_bytes()).shape[:2]
    assert width > 3 * 400
    assert height > 300
    assert inspect(cache, f"{ID}.png", output="memory://inspected/x.png").picture == "memory://inspected/x.png"
    assert Storage("memory://inspected").exists("x.png")


def test_without_the_source_there_is_the_reconstruction(cache: Path, made: Path, tmp_path: Path) -> None:
    found = inspect(cache, ID, dataset=tmp_path / "nowhere")
    assert found.picture is not None
    assert decode_rgb(Path(found.picture).read_bytes()).shape[1] < 2 * 400
    assert "--dataset says where it is now" in found.notes[0]


def test_a_source_that_changed_is_told(cache: Path, made: Path, tmp_path: Path) -> None:
    data = Path(shutil.copytree(made / "data", tmp_path / "moved"))
    shutil.copy(data / "train/0001TP_004.png", data / f"{ID}.png")
    assert "has changed since it was inverted" in inspect(cache, ID, dataset=data).notes[0]


def test_a_model_that_moved_may_be_named(cache: Path, tiny_model: str, tmp_path: Path) -> None:
    storage = Storage(cache)
    run = storage.read_json("run.json")
    run["sources"]["model"] = "/nowhere/model.safetensors"
    storage.write_json("run.json", run)
    with pytest.raises(ConfigurationError, match=r"no model to reconstruct with .*nowhere.*--model"):
        inspect(cache, ID)
    with pytest.raises(ConfigurationError, match=r"the model camvid .* is not the one that this cache"):
        inspect(cache, ID, model="camvid")
    assert inspect(cache, ID, model=tiny_model).picture
    assert inspect(cache, ID, export=tmp_path / "codes.npz").picture is None  # which needs no model


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("0001TP_003", r"near it: train/0001TP_003"),
        ("train/0001TP_0033", r"near it: train/0001TP_003"),
        ("train/0001TP_003.jpg", r"near it: train/0001TP_00"),
        ("§", r"without an id lists some"),
        ("train/0001TP_007", r"failed to invert \(.*\): mend it .*--retry-failed"),
    ],
)
def test_an_unknown_id_is_answered_with_the_nearest(cache: Path, given: str, expected: str) -> None:
    with pytest.raises(ConfigurationError, match=expected):
        inspect(cache, given)


def test_codes_of_one_picture_render_it(cache: Path, tiny_model: str, tmp_path: Path) -> None:
    import torch

    found = inspect(cache, ID, export=tmp_path / "codes.npz")
    assert (found.exported, found.rows_exported) == (str(tmp_path / "codes.npz"), 1)
    codes = np.load(tmp_path / "codes.npz")
    assert list(codes["ids"]) == [ID]
    assert list(codes["images"]) == [f"{ID}.png"]
    bundle = load_bundle(tiny_model, device="cpu")
    assert str(codes["model_sha256"]) == bundle.sha256
    row = CacheReader(Storage(cache)).row(ID)
    np.testing.assert_array_equal(codes["w_plus"][0], row.codes(found.info))
    for number, noise in enumerate(row.noise(found.info)):
        np.testing.assert_array_equal(codes[f"noise_{number}"][0], noise)
    images = bundle.render(
        *(torch.from_numpy(codes["w_plus"]), [torch.from_numpy(codes[f"noise_{n}"]) for n in (0, 1)])
    )
    assert images.shape == (1, 3, 24, 32)


@pytest.mark.parametrize("limit", [None, 1, 5, 100])
def test_codes_of_a_cache(cache: Path, limit: int | None) -> None:
    found = inspect(cache, export="memory://exported/codes.npz", limit=limit)
    reader = CacheReader(Storage(cache))
    rows = [row for unit in range(reader.units) for row in reader.rows(unit)][:limit]
    assert (found.exported, found.rows_exported) == ("memory://exported/codes.npz", len(rows))
    with Path("copy.npz").open("wb") as file:
        file.write(Storage("memory://exported").read("codes.npz"))
    codes = np.load("copy.npz")
    assert list(codes["ids"]) == [row.id for row in rows]
    np.testing.assert_array_equal(codes["psnr"], np.array([row.psnr for row in rows], np.float32))
    np.testing.assert_array_equal(codes["w_plus"], [row.codes(found.info) for row in rows])
    np.testing.assert_array_equal(codes["noise_1"], [row.noise(found.info)[1] for row in rows])


def test_options_that_mean_nothing_are_refused(cache: Path) -> None:
    for options, expected in (
        ({"output": "x.png"}, "name one"),
        ({"limit": 3}, "export of a whole cache"),
        ({"id": ID, "export": "x.npz", "limit": 3}, "export of a whole cache"),
        ({"export": "x.npz", "limit": 0}, "at least 1"),
        ({"export": "x.npy"}, r"must end in \.npz"),
        ({"id": ID, "output": "folder/"}, "names a folder"),
    ):
        with pytest.raises(ConfigurationError, match=expected):
            inspect(cache, **options)  # type: ignore[arg-type]


def test_what_is_no_cache_is_told_by_which_command_it_is_seen(made: Path, tmp_path: Path) -> None:
    mix(made / "cache", tmp_path / "out", limit=1, device="cpu")
    with pytest.raises(
        ConfigurationError, match=r"stylize report .*out` shows them, and their codes are in .*made.*cache"
    ):
        inspect(tmp_path / "out", ID)
    proxy_build(made / "cache", tmp_path / "proxy", styles={"x": made / "cache"}, limit=1, device="cpu")
    with pytest.raises(ConfigurationError, match=r"holds proxy sets, which have no codes: `stylize report "):
        inspect(tmp_path / "proxy")
    with pytest.raises(ConfigurationError, match=r"holds no run\.json"):
        inspect(tmp_path)
    Storage(tmp_path / "trained").write_json("run.json", {"kind": "train-encoder"})
    with pytest.raises(ConfigurationError, match=r"is a run of 'train-encoder'"):
        inspect(tmp_path / "trained")


def test_the_difference_is_enlarged_and_clipped() -> None:
    source = np.array([[[10, 200, 0]]], np.uint8)
    assert difference(source, np.array([[[13, 100, 0]]], np.uint8)).tolist() == [[[12, 255, 0]]]
