from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stylize import scenes
from stylize.models.encoder import EncoderConfig
from stylize.models.generator import GeneratorConfig
from stylize.models.perceptual import efficientnet_weights
from stylize.training.events import TrainingEvent, note

SHAPE = GeneratorConfig(const_size=(2, 3), channels=(8, 8, 8, 4, 4), z_dim=8, w_dim=8)
ENCODER = EncoderConfig(stem=4, widths=(8, 8, 8, 8), pyramid=8, head=8)
HOLDOUT = "*scene00001*"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    scenes.write_dataset(folder, count=4, height=48, width=64, conditions=["day"], seed=0)
    return folder


def steps(images: int) -> TrainingEvent:
    return TrainingEvent(images=images, total=100, images_per_second=1, figures={})


def test_steps_are_timed_and_evaluations_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import frozen_generator as study

    clock = iter([0.0, 5.0, 7.0, 10.0, 100.0, 104.0])
    monkeypatch.setattr(study.time, "process_time", lambda: next(clock))
    watch = study.Stopwatch(tmp_path / "seconds.json")
    for event in (note("read"), steps(10)):
        watch(event)
    assert watch.rate == pytest.approx(10 / 2)
    for event in (steps(20), note("evaluated", images=20), steps(30)):
        watch(event)
    assert watch.seconds == 2 + 3 + 4
    assert watch.rate == pytest.approx(20 / 7)  # without the first steps, which warm up


def test_steps_taken_again_after_a_stop_count_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import frozen_generator as study

    clock = iter([0.0, 2.0, 5.0, 0.0, 50.0, 54.0, 57.0])
    monkeypatch.setattr(study.time, "process_time", lambda: next(clock))
    stopped = study.Stopwatch(tmp_path / "seconds.json")
    for event in (steps(10), steps(20)):
        stopped(event)
    again = study.Stopwatch(tmp_path / "seconds.json")
    for event in (note("continuing", images=10), steps(20), steps(30)):
        again(event)
    assert again.seconds == 2 + 4 + 3


def test_a_generator_never_sees_the_pictures_kept_apart(tmp_path: Path, dataset: Path) -> None:
    from frozen_generator import Study

    study = Study(work=tmp_path, dataset=dataset, holdout=HOLDOUT, seed=0)
    links = list(study.frames().iterdir())
    assert len(links) == len(study.inputs.train) > 0
    assert len(study.inputs.heldout) > 0
    assert {link.resolve() for link in links} == {(dataset / s.image).resolve() for s in study.inputs.train}
    assert sorted(study.frames().iterdir()) == sorted(links)  # a second time


def test_exemplars_are_dusk_frames_where_there_are_some(tmp_path: Path) -> None:
    import frozen_judging
    from PIL import Image

    from stylize.training.inputs import find_inputs

    for index, name in enumerate(("0006R0_1", "0016E5_1", "0016E5_2", "0001TP_1")):
        Image.fromarray(np.full((32, 48, 3), 60 * index, np.uint8)).save(tmp_path / f"{name}.png")
    pictures = frozen_judging.load(find_inputs(str(tmp_path), holdout="*0006R0*"))
    assert [picture.max() for picture in pictures.contents] == [0]
    assert [picture.max() for picture in pictures.exemplars] == [180]


@pytest.mark.timeout(600)  # seconds of work, which a busy machine stretches
@pytest.mark.skipif(efficientnet_weights() is None, reason="needs stylize[train]")
def test_all_models_are_trained_judged_and_drawn(
    tmp_path: Path, dataset: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import frozen_generator as study

    generators, encoders = study.generator_recipes, study.encoder_recipes
    monkeypatch.setattr(encoders, "LIGHT", encoders.LIGHT.with_(encoder=ENCODER, perceptual=0.0))
    monkeypatch.setattr(generators, "LIGHT", generators.LIGHT.with_(batch=4))
    monkeypatch.setattr(generators, "generator_for", lambda _: SHAPE)
    monkeypatch.setattr(study.loop, "LOG_EVERY", 1)
    monkeypatch.setattr(study, "TRIAL_STEPS", 2)
    monkeypatch.setattr(study, "FRECHET_PICTURES", 2)
    monkeypatch.setattr(study, "EVALUATIONS", 1)
    monkeypatch.setattr(study.judging, "COMPARED", (48, 64))
    monkeypatch.setattr(study.judging, "SHOWN", 1)
    monkeypatch.setattr(study.ablation, "SOURCE", (48, 64))
    out = tmp_path / "results"
    arguments = [tmp_path / "work", "--dataset", dataset, "--holdout", HOLDOUT, "--scenes", 1, "--out", out]
    arguments += ["--generator-seconds", 0.01, "--encoder-seconds", 0.01]
    monkeypatch.setattr(sys, "argv", ["frozen_generator", *map(str, arguments)])
    study.main()
    results: dict[str, Any] = json.loads(out.with_suffix(".json").read_text())
    assert list(results["stages"]) == ["generator", *study.ARMS]
    assert all(stage["images"] > 0 and stage["seconds"] > 0 for stage in results["stages"].values())
    starts = [json.loads((tmp_path / "work" / study.FOLDERS[arm] / "run.json").read_text()) for arm in study.ARMS]
    assert [start["tune_generator"] for start in starts] == [False, True, True]
    first, scratch, then = (start["start"]["generator"] for start in starts)
    assert first == then
    assert first is not None
    assert scratch is None
    assert len({results["figures"][arm]["held-out PSNR"] for arm in study.ARMS}) == len(study.ARMS)
    assert (tmp_path / "work" / "sheet.png").stat().st_size > 1000
    assert "| the same, structure kept |" in capsys.readouterr().out
    monkeypatch.setattr(study, "train_encoder", None)
    monkeypatch.setattr(study, "train_generator", None)
    study.main()  # finished trainings are not run again
    assert json.loads(out.with_suffix(".json").read_text()) == results
