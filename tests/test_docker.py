"""The files for containers: they parse, agree with each other, are pinned, and nothing runs as root."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

PINNED = re.compile(r"^[\w./-]+:[\w.-]*\d[\w.-]*$")


@pytest.fixture(scope="module")
def folder(repository: Path) -> Path:
    return repository / "docker"


@pytest.fixture(scope="module")
def stages(folder: Path) -> dict[str, str]:
    """Instructions of each stage of the Dockerfile."""
    parts = re.split(r"^FROM (\S+) AS (\S+)$", (folder / "Dockerfile").read_text(), flags=re.MULTILINE)
    return dict(zip(parts[2::3], parts[3::3], strict=True))


@pytest.fixture(scope="module")
def pins(folder: Path) -> dict[str, str]:
    lines = (folder / "constraints.txt").read_text().splitlines()
    pairs = [line.split("==") for line in lines if not line.startswith("#")]
    return {name.lower().replace("_", "-"): version for name, version in pairs}


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def test_images_run_without_root_and_from_a_pinned_base(folder: Path, stages: dict[str, str]) -> None:
    assert list(stages) == ["build", "cpu", "cuda"]
    assert re.findall(r"^USER (.*)$", stages["cpu"], flags=re.MULTILINE) == ["1000"]
    assert "USER" not in stages["cuda"]
    base = re.search(r"^ARG BASE=(.*)$", (folder / "Dockerfile").read_text(), flags=re.MULTILINE)
    assert base is not None
    assert PINNED.match(base[1])


def test_what_the_build_copies_passes_the_ignore_file(repository: Path, folder: Path, stages: dict[str, str]) -> None:
    allowed = {line[1:] for line in (folder / "Dockerfile.dockerignore").read_text().split() if line.startswith("!")}
    copied = {
        name for line in re.findall(r"^COPY (?!--)(.*) \S+$", stages["build"], re.MULTILINE) for name in line.split()
    }
    assert copied == allowed
    assert all((repository / name).exists() for name in copied)


def test_every_direct_dependency_is_pinned(repository: Path, stages: dict[str, str], pins: dict[str, str]) -> None:
    import tomllib

    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    extras = re.search(r"^ARG EXTRAS=(.*)$", stages["build"], re.MULTILINE)
    assert extras is not None
    wanted = [*project["dependencies"], *(p for e in extras[1].split(",") for p in project["optional-dependencies"][e])]
    names = {re.split(r"[\[<>=]", requirement)[0].lower() for requirement in wanted}
    assert names <= pins.keys()


def test_compose_services_fit_the_dockerfile(folder: Path, stages: dict[str, str]) -> None:
    compose = load(folder / "compose.yaml")
    services = compose["services"]
    assert services.keys() >= {"head", "worker", "s3"}
    for name, service in services.items():
        assert PINNED.match(service["image"]) or service["image"] == "stylize:cpu", name
        if "build" in service:
            assert service["build"]["target"] in stages
            assert (folder / service["build"]["context"] / service["build"]["dockerfile"]).exists()
        assert set(service.get("depends_on", ())) <= services.keys()
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
    assert {volume.split(":")[0] for volume in services["s3"]["volumes"]} <= compose["volumes"].keys()


def test_ray_job_is_of_the_version_in_the_image_and_runs_without_root(folder: Path, pins: dict[str, str]) -> None:
    job = load(folder / "rayjob.yaml")
    cluster = job["spec"]["rayClusterSpec"]
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    assert cluster["rayVersion"] == pins["ray"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        assert group["template"]["spec"]["securityContext"]["runAsNonRoot"]
        (container,) = group["template"]["spec"]["containers"]
        assert container["envFrom"] == [{"secretRef": {"name": "stylize-bucket"}}]


def test_ray_job_and_compose_call_commands_that_exist(folder: Path) -> None:
    from cli.main import COMMANDS, group

    command = load(folder / "rayjob.yaml")["spec"]["entrypoint"].split()
    assert command[0] == "stylize"
    assert command[1] in COMMANDS
    found = group.get_command(group.make_context("stylize", [], resilient_parsing=True), command[1])
    assert found is not None
    known = {option for parameter in found.params for option in parameter.opts}
    assert {word for word in command if word.startswith("--")} <= known
