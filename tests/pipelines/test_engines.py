"""Which engine the options ask for, and that Ray is imported for none but its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.engine_local import LocalEngine
from pipelines.engine_ray import RayEngine
from pipelines.engines import ENGINES, make_engine
from stylize.errors import ConfigurationError

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def no_cluster_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)


def test_auto_is_local_until_a_cluster_or_gpus_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert make_engine("auto", workers=3) == make_engine("local", workers=3) == LocalEngine(workers=3)
    assert make_engine(address="head:6379", workers=3) == RayEngine(address="head:6379", workers=3)
    assert make_engine(gpus_per_worker=0.5) == RayEngine(gpus_per_worker=0.5)
    monkeypatch.setenv("RAY_ADDRESS", "head:1")
    assert make_engine() == RayEngine(address="head:1")
    assert make_engine(address="other:2") == RayEngine(address="other:2")
    assert isinstance(make_engine("local"), LocalEngine)


def test_ray_alone_starts_a_cluster_of_its_own() -> None:
    assert make_engine("ray") == RayEngine(address=None, workers=None, gpus_per_worker=None)


def test_workers_on_the_cpu_ask_for_no_gpu() -> None:
    assert make_engine("ray", device="cpu") == RayEngine(gpus_per_worker=0.0)
    assert make_engine("ray", device="cuda", gpus_per_worker=2) == RayEngine(gpus_per_worker=2)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"name": "spark"}, "engine 'spark' is unknown: choose one of auto, local, ray"),
        ({"workers": 0}, "at least 1"),
        ({"name": "local", "address": "head:1"}, "an address means something to the ray engine only"),
        ({"name": "local", "gpus_per_worker": 1}, "GPUs per worker means something"),
        ({"gpus_per_worker": 1.5}, "a fraction of one or a whole number, not 1.5"),
        ({"gpus_per_worker": -1}, "not -1"),
        ({"name": "ray", "device": "cuda:1"}, "give device cuda, not cuda:1"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: dict[str, object], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        make_engine(**options)  # type: ignore[arg-type]


def test_only_the_ray_engine_imports_ray() -> None:
    script = (
        "import sys, pipelines.invert, pipelines.mix; from pipelines.engines import make_engine;"
        "print([make_engine(name) and 'ray' in sys.modules for name in ('local', 'auto', 'ray')])"
    )
    result = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[False, False, True]"


def test_the_command_line_knows_the_engines() -> None:
    from cli import options

    assert options.ENGINES == ENGINES
