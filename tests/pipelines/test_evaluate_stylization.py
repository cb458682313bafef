from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import stylize
from cli.main import run
from pipelines import provenance
from pipelines.evaluate_stylization import StylizationScore, evaluate_stylization
from pipelines.invert import invert
from pipelines.mix import mix
from stylize.errors import ConfigurationError
from stylize.guard import content_score
from stylize.images import decode_rgb
from stylize.storage import Storage
from tests.pipelines.helpers import tree, write_dataset

NAMES = [f"d_{number}" for number in range(3)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, tiny_model: str) -> Path:
    """Three contents in `day` with two copies each in `out`, after two exemplars of `dusk`."""
    root = tmp_path_factory.mktemp("stylization")
    for name, frames in (("day", NAMES), ("dusk", ["e_0", "e_1"])):
        invert(write_dataset(root / name, frames), root / f"{name}-cache", model=tiny_model)
    mix(root / "day-cache", root / "out", styles=root / "dusk-cache", per_image=2)
    return root


@pytest.fixture
def world(made: Path, tmp_path: Path) -> Path:
    """A copy of `out` that a test may change; the datasets stay where they are."""
    shutil.copytree(made / "out", tmp_path / "out")
    return tmp_path


def rows_of(out: Path) -> list[dict[str, Any]]:
    return [row for file in sorted((out / "provenance").iterdir()) for row in provenance.read_rows(file.read_bytes())]


def replace_outputs(out: Path, sources: Path, column: str) -> None:
    """Put the pictures that a column of the provenance names in the place of the outputs."""
    for row in rows_of(out):
        shutil.copy(sources / row[column], out / row["image"])


def score(world: Path, **options: Any) -> StylizationScore:
    return evaluate_stylization(world / "out", device="cpu", **options)


def test_the_content_itself_kept_all_and_reached_nothing(world: Path, made: Path) -> None:
    replace_outputs(world / "out", made / "day", "content_source")
    found = score(world)
    assert (found.pictures, found.failed, found.size) == (6, 0, (30, 40))
    for name in ("structure", "edges", "content_score"):
        assert found.measures[name].least == pytest.approx(1, abs=0.01)
    assert list(found.reached.values()) == pytest.approx([0, 0], abs=1e-6)
    assert found.frechet["content"] == pytest.approx(found.frechet["output"])


def test_the_exemplar_itself_reached_all_and_kept_nothing(world: Path, made: Path) -> None:
    replace_outputs(world / "out", made / "dusk", "exemplar_source")
    found = score(world)
    assert list(found.reached.values()) == pytest.approx([1, 1], abs=1e-6)
    assert found.measures["colour_content"].least > 1
    assert found.measures["colour_exemplars"].mean == pytest.approx(found.measures["colour_exemplars"].least)  # two
    assert found.measures["colour_exemplars"].least > 1
    assert found.measures["structure"].mean < 0.6
    assert found.frechet["output"] == pytest.approx(0, abs=1e-6)
    assert found.frechet["content"] > 1


def test_result_and_table_hold_each_output(world: Path, made: Path, tmp_path: Path) -> None:
    found = score(world, json=tmp_path / "score.json", csv=tmp_path / "rows.csv")
    table = {row["image"]: row for row in csv.DictReader((tmp_path / "rows.csv").read_text().splitlines())}
    rows = rows_of(world / "out")
    assert list(table) == [row["image"] for row in rows]
    for row in rows:
        pictures = (made / "day" / row["content_source"], world / "out" / row["image"])
        expected = content_score(*(decode_rgb(path.read_bytes()) for path in pictures))
        assert float(table[row["image"]]["content_score"]) == pytest.approx(expected, abs=1e-6)
        assert (table[row["image"]]["content"], table[row["image"]]["k"]) == (row["content"], str(row["k"]))
    written = json.loads((tmp_path / "score.json").read_text())
    assert written["style_reached"] == pytest.approx(dict(found.reached), rel=1e-5)
    assert written["measures"]["edges"]["min"] == pytest.approx(found.measures["edges"].least, rel=1e-5)
    assert written["predictions"] is None


def test_pictures_that_are_gone_are_named(world: Path) -> None:
    rows = rows_of(world / "out")
    (world / "out" / rows[1]["image"]).unlink()
    (world / "out" / rows[2]["image"]).write_bytes(b"no picture")
    found = score(world)
    assert (found.pictures, found.failed, found.exit_code) == (4, 2, 3)
    assert [failure.id for failure in found.failures] == [rows[1]["image"], rows[2]["image"]]
    assert "unreadable picture" in found.failures[1].reason
    assert score(world, limit=1, max_failures=0).pictures == 1


def test_datasets_may_have_moved(world: Path, made: Path, tmp_path: Path) -> None:
    for name in ("day", "dusk"):
        shutil.copytree(made / name, tmp_path / name)
    run_file = world / "out/run.json"
    record = json.loads(run_file.read_text())
    record["sources"] |= {"dataset": str(tmp_path / "gone"), "styles": str(tmp_path / "gone-cache")}
    run_file.write_text(json.dumps(record))
    with pytest.raises(ConfigurationError, match=r"the exemplars' cache .*gone-cache is gone .* with --exemplars"):
        score(world)
    with pytest.raises(ConfigurationError, match="none of 6 pictures could be measured"):
        score(world, exemplars=tmp_path / "dusk")
    found = score(world, dataset=tmp_path / "day", exemplars=tmp_path / "dusk")
    assert (found.pictures, found.failed) == (6, 0)


def test_intra_source_exemplars_come_from_the_same_dataset(made: Path, tmp_path: Path) -> None:
    mix(made / "day-cache", tmp_path / "out", limit=2)
    found = score(tmp_path, exemplars=None)
    assert (found.pictures, found.failed) == (2, 0)


def save_ids(path: Path, ids: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(ids.astype(np.uint8)).save(path)


def test_a_segmenter_is_compared_before_and_after(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = np.array([[7, 7, 8, 255]])
    for row in rows_of(world / "out"):
        save_ids(world / "before" / row["content_source"], before)
        # Of every second copy one pixel of three is seen as another class.
        save_ids(world / "after" / Path(row["image"]).name, np.array([[7, 8 if row["k"] else 7, 8, 9]]))
    folders = {"predictions_before": world / "before", "predictions_after": world / "after"}
    found = score(world, **folders)
    assert found.agreement is not None
    assert found.agreement.accuracy() == pytest.approx(5 / 6)
    assert found.agreement.mean_iou() == pytest.approx((9 / 12 + 6 / 9) / 2)
    assert found.measures["agreement"].least == pytest.approx(2 / 3)
    assert found.as_dict()["predictions"]["iou"] == {"7": 0.75, "8": pytest.approx(2 / 3, abs=1e-5)}
    given = [str(x) for name, path in folders.items() for x in ("--" + name.replace("_", "-"), path)]
    assert run(["evaluate", "stylization", str(world / "out"), *given]) == 0
    shown = capsys.readouterr().out
    assert "segmenter: 83.3 % of the pixels as before, mean IoU of before and after 70.8 %" in shown
    assert "style reached, of the mean distances: " in shown
    assert "Frechet distance to the exemplars: " in shown


def test_predictions_that_do_not_fit_are_refused_or_named(world: Path) -> None:
    rows = rows_of(world / "out")
    for row in rows:
        save_ids(world / "before" / row["content_source"], np.zeros((2, 3)))
        save_ids(world / "after" / row["image"], np.zeros((2, 3)))
    folders = {"predictions_before": world / "before", "predictions_after": world / "after"}
    (world / "after" / rows[0]["image"]).unlink()
    assert score(world, **folders).failures[0].reason.startswith("missing prediction: none in ")
    save_ids(world / "after" / rows[1]["image"], np.zeros((4, 6)))
    with pytest.raises(ConfigurationError, match=r"is 3x2, that of .* 6x4: predict both at one size"):
        score(world, **folders)
    with pytest.raises(ConfigurationError, match="together, or neither"):
        score(world, predictions_after=world / "after")


def test_an_unfinished_run_is_measured_as_far_as_it_is(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made / "out", tmp_path / "out")
    (tmp_path / "out/manifest.json").unlink()
    assert score(tmp_path).pictures == 6
    shutil.rmtree(tmp_path / "out/commits")
    with pytest.raises(ConfigurationError, match=r"no pictures in .* yet: run the same `stylize mix` again"):
        score(tmp_path)


def test_only_a_mix_is_taken(made: Path) -> None:
    with pytest.raises(ConfigurationError, match="give a folder that `mix` wrote"):
        stylize.evaluate_stylization(made / "day-cache")


def test_buckets_serve_as_well(made: Path) -> None:
    for name in ("out", "day", "dusk"):
        for path, data in tree(made / name, without=()).items():
            Storage(f"memory://stylization/{name}").write(path, data)
    found = evaluate_stylization(
        "memory://stylization/out",
        dataset="memory://stylization/day",
        exemplars="memory://stylization/dusk",
        csv="memory://stylization/rows.csv",
    )
    assert found.pictures == 6
    assert Storage("memory://stylization").read_text("rows.csv").count("\n") == 7


def test_pictures_are_compared_at_the_height_that_was_asked_for(tmp_path: Path, tiny_model: str) -> None:
    data = tmp_path / "day" / "train"
    data.mkdir(parents=True)
    for number in range(2):
        Image.fromarray(np.random.default_rng(number).integers(0, 255, (60, 80, 3), np.uint8)).save(
            data / f"{number}.png"
        )
    invert(tmp_path / "day", tmp_path / "cache", model=tiny_model)
    mix(tmp_path / "cache", tmp_path / "out")
    assert score(tmp_path, height=36).size == (36, 48)
    assert score(tmp_path).size == (60, 80)
    with pytest.raises(ConfigurationError, match="height must be at least 32 pixels, not 8"):
        score(tmp_path, height=8)
