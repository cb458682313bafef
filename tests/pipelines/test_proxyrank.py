"""Ranking models on proxy sets: known errors give known scores, and whatever cannot be compared is named."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from pipelines.events import Note, RunStarted
from pipelines.invert import invert
from pipelines.proxy import proxy_build
from pipelines.proxyrank import proxy_rank
from pipelines.proxyresult import ProxyRanking
from stylize.errors import ConfigurationError
from stylize.images import encode
from stylize.segmentation import ConfusionMatrix
from tests.pipelines.helpers import picture, write_dataset

CLASSES, IGNORED = ["sky", "road", "car"], 3
NAMES = [f"0001_{number:02d}" for number in range(8)]
ERRORS = {"good": 0.1, "fair": 0.3, "poor": 0.6}
Ids = np.ndarray


def labels(name: str, height: int = 30, width: int = 40) -> Ids:
    return np.random.default_rng([*name.encode()]).integers(0, len(CLASSES) + 1, (height, width)).astype(np.uint8)


def predicted(truth: Ids, error: float, seed: int) -> Ids:
    random = np.random.default_rng([seed, int(truth.sum())])
    wrong = random.random(truth.shape) < error
    return np.where(wrong, random.integers(0, len(CLASSES), truth.shape), np.minimum(truth, 2)).astype(np.uint8)


def save(ids: Ids, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(ids).save(path)


def labelled_dataset(root: Path, names: list[str], split: str) -> Path:
    (root / split).mkdir(parents=True)
    for number, name in enumerate(names):
        (root / split / f"{name}.png").write_bytes(encode(picture(number), "png"))
        save(labels(name), root / f"{split}annot" / f"{name}.png")
    (root / "classes.json").write_text(json.dumps({"classes": CLASSES, "ignore_index": IGNORED}))
    return root


def predict(data: Path, out: Callable[[str], Path], errors: dict[str, float] = ERRORS) -> None:
    """Write what each model says of each label file below `data`."""
    for model, error in errors.items():
        for label in sorted(data.glob("*annot/*.png")):
            save(predicted(np.asarray(Image.open(label)), error, len(model)), out(model) / label.name)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, tiny_model: str) -> Path:
    """Proxy sets of two targets with two copies per content, a real dataset, and the predictions of three models."""
    root = tmp_path_factory.mktemp("world")
    labelled_dataset(root / "data", NAMES, "val")
    labelled_dataset(root / "real-dusk", [f"r{n}" for n in range(6)], "test")
    write_dataset(root / "dusk", ["a", "b", "c"], split="dusk")
    write_dataset(root / "fog", ["x"], split="fog")
    for name in ("data", "dusk", "fog"):
        invert(root / name, root / f"{name}-cache", model=tiny_model, device="cpu")
    styles = {name: root / f"{name}-cache" for name in ("dusk", "fog")}
    proxy_build(root / "data-cache", root / "proxy", styles=styles, per_image=2, device="cpu")
    for name in ("dusk", "fog"):
        predict(root / "proxy" / name, lambda model, name=name: root / "out" / model / name)
    predict(root / "real-dusk", lambda model: root / "real" / model / "dusk")
    predict(root / "data", lambda model: root / "source" / model)
    return root


def folders(root: Path, models: tuple[str, ...] = tuple(ERRORS)) -> dict[str, Path]:
    return {model: root / model for model in models}


@pytest.fixture
def ranked(world: Path) -> Callable[..., ProxyRanking]:
    def start(**options: Any) -> ProxyRanking:
        return proxy_rank(world / "proxy", **{"predictions": folders(world / "out"), "resamples": 200, **options})

    return start


@pytest.fixture
def spoilt(world: Path, tmp_path: Path) -> Path:
    """A copy of the predictions, to spoil."""
    return Path(shutil.copytree(world / "out", tmp_path / "out"))


def test_a_plot_is_called_what_it_is(ranked: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"name it so, as ranking\.svg"):
        ranked(plot=tmp_path / "ranking.png")
    assert not list(tmp_path.iterdir())


def test_models_are_scored_and_ranked_on_every_target_and_on_average(ranked: Any, world: Path) -> None:
    told: list[Any] = []
    found = ranked(on_event=told.append)
    assert [one.model for one in found.average.standings] == ["good", "fair", "poor"]
    assert [one.rank for one in found.average.standings] == [1, 2, 3]
    assert (found.chosen, found.classes) == ("good", tuple(CLASSES))
    for name in ("dusk", "fog"):
        expected = ConfusionMatrix(3)
        for label in (world / "proxy" / name / "valannot").glob("*.png"):
            truth, ids = (np.asarray(Image.open(p)) for p in (label, world / "out/fair" / name / label.name))
            expected.update(truth, ids)
        target = found.targets[name]
        assert target.score("fair") == pytest.approx(expected.mean_iou())
        assert target.by_class("fair", found.classes) == pytest.approx(dict(zip(CLASSES, expected.iou(), strict=True)))
        assert (target.pictures, target.contents) == (16, 8)  # two copies of a content are one piece of evidence
    mean = (found.targets["dusk"].score("fair") + found.targets["fog"].score("fair")) / 2
    assert found.average.score("fair") == pytest.approx(mean)
    begun = [(event.kind, event.inputs) for event in told if isinstance(event, RunStarted)]
    assert begun == [("score proxy dusk", 16), ("score proxy fog", 16)]
    assert found.agreements == {}


def test_equal_models_are_tied(ranked: Any, world: Path) -> None:
    found = ranked(predictions={**folders(world / "out"), "twin": world / "out/fair"})
    assert [(one.model, one.rank) for one in found.average.standings] == [
        ("good", 1),
        ("fair", 2),
        ("twin", 2),
        ("poor", 4),
    ]
    assert found.average.standings[1].tied == ("twin",)


def test_one_model_alone_is_scored_but_not_compared(ranked: Any, world: Path) -> None:
    found = ranked(predictions=folders(world / "out", ("fair",)), real_scores={"fair": 0.5})
    assert [one.rank for one in found.average.standings] == [1]
    assert found.agreements == {}


def test_real_labels_and_source_tell_how_far_to_trust_the_proxies(ranked: Any, world: Path) -> None:
    found = ranked(
        real={"dusk": world / "real-dusk"},
        real_predictions=folders(world / "real"),
        source=world / "data",
        source_predictions=folders(world / "source"),
        source_split="val",
    )
    assert set(found.agreements) == {"", "dusk"}
    agreement = found.agreements[""]
    assert (agreement.spearman.value, agreement.kendall.value, agreement.regret.value) == (1, 1, 0)
    assert agreement.pearson.value > 0.99
    assert found.real["dusk"].contents == 6
    assert (found.source.pictures, found.source_agreement.spearman.value, found.lead.value) == (8, 1, 0)
    values = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert values["agreement"]["spearman"]["value"] == 1
    assert values["agreement_by_target"]["dusk"]["chosen"] == "good"
    assert values["spearman_gained_over_source"]["value"] == 0


def test_real_scores_from_a_table(ranked: Any, tmp_path: Path) -> None:
    """The proxies choose `good`, which this table puts ten points behind `poor`."""
    table = {"good": 0.3, "fair": 0.2, "poor": 0.4, "other": 0.9}
    (tmp_path / "real.json").write_text(json.dumps(table))
    (tmp_path / "real.csv").write_text("model,fog,rain\ngood,20,40\nfair,20,20\npoor,30,50\n")
    for given in (table, tmp_path / "real.json", tmp_path / "real.csv"):
        agreement = ranked(real_scores=given).agreements[""]
        assert (agreement.chosen, agreement.best, agreement.models) == ("good", "poor", 3)
        assert agreement.regret.value == pytest.approx(0.1)
        assert agreement.spearman.value == pytest.approx(-0.5)
    both = ranked(real_scores=tmp_path / "real.csv")
    assert (set(both.agreements), set(both.real)) == ({"", "fog"}, {"fog", "rain"})


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"good": 0.3, "fair": 0.2}, "no real score for the model 'poor'"),
        ({"good": 0.3, "fair": "high", "poor": 0.1}, "could not convert string to float: 'high'"),
        ({"good": 0.3, "fair": -1, "poor": 0.1}, "-1 of fair is no mean IoU"),
        ({}, "write .*CSV"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(ranked: Any, table: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        ranked(real_scores=table)


def test_a_table_needs_its_column_of_models(ranked: Any, tmp_path: Path) -> None:
    (tmp_path / "real.csv").write_text("name,score\ngood,20\n")
    with pytest.raises(ConfigurationError, match="the first column must be `model`"):
        ranked(real_scores=tmp_path / "real.csv")
    with pytest.raises(ConfigurationError, match=r"none\.json"):
        ranked(real_scores=tmp_path / "none.json")


def test_files_hold_everything(ranked: Any, world: Path, tmp_path: Path) -> None:
    places = {kind: tmp_path / f"ranking.{kind}" for kind in ("json", "csv")}
    found = ranked(**places, plot=tmp_path / "ranking.svg", real_scores={"good": 0.5, "fair": 0.4, "poor": 0.3})
    assert json.loads(places["json"].read_text()) == json.loads(json.dumps(found.as_dict()))
    with places["csv"].open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["scores"], row["target"], row["model"], row["rank"]) for row in rows[:4]] == [
        ("proxy", "average", "good", "1"),
        ("proxy", "average", "fair", "2"),
        ("proxy", "average", "poor", "3"),
        ("proxy", "dusk", "good", "1"),
    ]
    assert float(rows[0]["low"]) < float(rows[0]["mean_iou"]) < float(rows[0]["high"])
    assert 0 < float(rows[0]["car"]) < 1
    assert (rows[-1]["scores"], rows[-1]["low"], rows[-1]["car"]) == ("real", "", "")
    svg = ElementTree.parse(tmp_path / "ranking.svg").getroot()
    texts = [element.text for element in svg.iter("{http://www.w3.org/2000/svg}text")]
    assert {"good", "fair", "poor", "dusk", "fog", "By proxy sets"} <= set(texts)


def test_ids_of_predictions_are_mapped(ranked: Any, world: Path, spoilt: Path) -> None:
    for path in spoilt.rglob("*.png"):
        save(np.asarray(Image.open(path)) + 10, path)
    with pytest.raises(ConfigurationError, match=r"proxy.*|ids? 1\d.* not in"):
        ranked(predictions=folders(spoilt))
    mapped = ranked(predictions=folders(spoilt), prediction_mapping={"10": "sky", "11": "road", "12": 2})
    assert mapped.average.scores.mean_M.tolist() == ranked().average.scores.mean_M.tolist()


def test_a_further_id_is_ignored(ranked: Any) -> None:
    found = ranked(ignore=[0])
    assert "sky" not in {name for name, value in found.average.by_class("good", found.classes).items() if value > 0}


def test_missing_predictions_are_named_before_anything_is_read(ranked: Any, world: Path, spoilt: Path) -> None:
    missing = spoilt / "fair/fog" / f"{NAMES[3]}__1.png"
    missing.unlink()
    told: list[Any] = []
    with pytest.raises(ConfigurationError) as refused:
        ranked(predictions=folders(spoilt), on_event=told.append)
    expected = rf"proxy fog, model fair: no prediction of 1 of 16 pictures (val/{NAMES[3]}__1.png) in {spoilt}/fair/fog"
    assert expected in str(refused.value)
    assert told == []
    shutil.rmtree(spoilt / "poor/dusk")
    with pytest.raises(ConfigurationError, match=r"proxy dusk, model poor: no label pictures in .*out/poor/dusk"):
        ranked(predictions=folders(spoilt))


def test_predictions_that_cannot_be_compared_are_named(ranked: Any, spoilt: Path) -> None:
    path = spoilt / "good/dusk" / f"{NAMES[0]}.png"
    for data, message in (
        (np.zeros((10, 10), np.uint8), "is 10x10, its label 40x30: predict at the label's size, or pass --resize"),
        (np.full((30, 40), 77, np.uint8), "id 77 not in"),
        (np.arange(3600, dtype=np.uint16).astype(np.uint8).reshape(30, 40, 3), "in colours, not of ids"),
    ):
        save(data, path)
        with pytest.raises(ConfigurationError, match=f"{path}: .*{message}"):
            ranked(predictions=folders(spoilt))
    path.write_bytes(b"broken")
    with pytest.raises(ConfigurationError, match=f"{path}: "):
        ranked(predictions=folders(spoilt))
    save(np.zeros((15, 20), np.uint8), path)
    assert ranked(predictions=folders(spoilt), resize=True).chosen == "good"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"predictions": {}}, "no model to rank"),
        ({"resamples": 10}, "resamples must be at least 100, not 10"),
        ({"confidence": 95}, "confidence must lie between 0 and 1"),
        ({"real": {"dusk": "x"}}, "--real and --real-predictions go together"),
        ({"source_predictions": {"good": "x"}}, "--source and --source-predictions go together"),
        ({"source": "x", "source_predictions": {"good": "y"}, "source_scores": {}}, "or --source-scores, not both"),
        (
            {"real": {"dusk": "x"}, "real_predictions": {"good": "y", "fair": "y"}},
            "the model 'poor' has no --real-predictions",
        ),
        (
            {"source": "x", "source_predictions": {**dict.fromkeys(ERRORS, "y"), "worst": "y"}},
            "the model 'worst' has no --predictions",
        ),
    ],
)
def test_options_that_do_not_go_together_are_refused(ranked: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        ranked(**options)


def test_contents_that_failed_in_one_target_are_left_out_of_all(world: Path, tmp_path: Path, tiny_model: str) -> None:
    data = Path(shutil.copytree(world / "data", tmp_path / "data"))
    built = {"dataset": data, "device": "cpu"}
    proxy_build(world / "data-cache", tmp_path / "proxy", styles={"dusk": world / "dusk-cache"}, **built)
    (data / "val" / f"{NAMES[0]}.png").write_bytes(encode(picture(99), "png"))
    proxy_build(world / "data-cache", tmp_path / "proxy", styles={"fog": world / "fog-cache"}, **built)
    told: list[Any] = []
    found = proxy_rank(tmp_path / "proxy", predictions=folders(world / "out"), resamples=100, on_event=told.append)
    assert Note(text="1 content failed in some target and is left out of all") in told
    assert {one.contents for one in (*found.targets.values(), found.average)} == {7}


def test_unfinished_targets_are_refused(world: Path, tmp_path: Path) -> None:
    proxy = Path(shutil.copytree(world / "proxy", tmp_path / "proxy"))
    (proxy / "fog/manifest.json").unlink()
    with pytest.raises(ConfigurationError, match=r"the target fog of .* is not finished: run the same"):
        proxy_rank(proxy, predictions=folders(world / "out"))
