"""What a training runs on, and that it gets its arguments whole."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import pytest

from pipelines import training_engine as module
from pipelines.training import train_encoder, train_generator
from pipelines.training_engine import Processes, choose
from stylize.errors import ConfigurationError, FatalError
from stylize.training.config import LIGHT as LIGHT_ENCODER
from stylize.training.generator_config import LIGHT


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)


def processes(**given: Any) -> Processes:
    return Processes(**{"address": None, "workers": None, "gpus_per_worker": None} | given)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, None),
        ({"engine": "local", "workers": 1}, None),
        ({"workers": 1}, None),
        ({"workers": 2}, processes(workers=2)),
        ({"engine": "ray"}, processes()),
        ({"address": "head:6379"}, processes(address="head:6379")),
        ({"gpus_per_worker": 0.5}, processes(gpus_per_worker=0.5)),
        ({"workers": 2, "device": "cpu"}, processes(workers=2, gpus_per_worker=0.0)),
    ],
)
def test_auto_means_ray_where_there_is_more_than_this_process(
    options: dict[str, Any], expected: Processes | None
) -> None:
    assert choose(**{"engine": "auto"} | options) == expected


def test_a_cluster_in_the_environment_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "head:6379")
    assert choose("auto") == processes(address="head:6379")
    assert choose("local") is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"engine": "spark"}, "engine 'spark' is unknown: choose one of auto, local, ray"),
        ({"workers": 0}, "workers must be at least 1"),
        ({"engine": "local", "workers": 2}, "trains in one process: choose engine ray for 2 workers"),
        ({"engine": "local", "address": "head:6379"}, "an address means something to the ray engine only"),
        ({"engine": "local", "gpus_per_worker": 1}, "GPUs per worker means something to the ray engine only"),
        ({"engine": "ray", "gpus_per_worker": 2}, "one GPU at most, not 2: add workers"),
        ({"engine": "ray", "device": "cuda:1"}, "give device cuda, not cuda:1"),
    ],
)
def test_options_that_do_not_fit_together_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        choose(**{"engine": "auto"} | options)


def test_paths_mean_the_same_in_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[Any] = []

    class Remember:
        def run(self, job: Any, on_event: Any) -> None:
            taken.append(job)

    monkeypatch.setattr(module, "_ray_training", lambda processes: Remember())
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gen.safetensors").write_text("")
    train_generator("data", "out", training=LIGHT, init="gen.safetensors", picture_cache=Path("kept"), workers=2)
    train_encoder(
        "s3://bucket/data",
        "out",
        training=LIGHT_ENCODER,
        init="camvid",
        extra=["fog"],
        lpips_trunk=Path("vgg"),
        workers=2,
    )
    first, second = taken
    assert first.dataset == str(tmp_path / "data")
    assert first.out == str(tmp_path / "out")
    assert first.init == str(tmp_path / "gen.safetensors")
    assert first.picture_cache == tmp_path / "kept"
    assert second.dataset == "s3://bucket/data"
    assert second.init == "camvid", "the name of a bundled model stays one"
    assert second.extra == [str(tmp_path / "fog")]
    assert second.lpips_trunk == tmp_path / "vgg"


def test_without_ray_train_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    load = builtins.__import__

    def missing(name: str, *more: Any) -> Any:
        if name == "pipelines.training_ray":
            raise ImportError("Can't import ray.train as some dependencies are missing")
        return load(name, *more)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(FatalError, match=r'dependencies are missing.: pip install "stylize\[distributed\]"'):
        train_generator("data", "out", training=LIGHT, workers=2)


def test_batches_that_workers_cannot_share_are_refused_before_anything_starts() -> None:
    with pytest.raises(
        ConfigurationError, match=r"the batch size, 16, does not divide among 3 workers in whole groups"
    ):
        train_generator("data", "out", training=LIGHT, workers=3)
    with pytest.raises(ConfigurationError, match=r"real pictures in a batch, 4, .* in equal shares: .* multiple of 3"):
        train_encoder("data", "out", training=LIGHT_ENCODER, init="camvid", workers=3)
