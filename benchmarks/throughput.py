"""Measure `invert` and `mix` against a plain loop in memory, against a simulated accelerator, and by stage.

All variants of a comparison take turns, so that another program's load falls on all alike; what counts is the ratio
within a turn, and the median of the turns.

    python benchmarks/throughput.py --pictures ../shared/data/camvid/train --count 128 --name camvid
    python benchmarks/throughput.py --pictures ../shared/data/cityscapes_sample --count 24 --name 2048x1024
    python benchmarks/throughput.py --pictures ../shared/data/camvid/train --count 256 --engine ray --name ray
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import plainloop
import torch
from torch import Tensor

import stylize
from pipelines.events import RunStarted, UnitDone
from stylize import images
from stylize.models.bundle import load_bundle
from stylize.models.encoder import Codes
from stylize.png import DEFLATE

RESULTS = Path(__file__).parent / "results"
FACTORS = (0.5, 1.0, 2.0)  # of the accelerator's time to that of all else
Variant = Callable[[], Any]


class Bench:
    """A dataset on disk and in memory, and a folder for outputs."""

    def __init__(self, folder: Path, pictures: Path, count: int, model: str, batch: int) -> None:
        self.folder, self.model, self.batch, self.count = folder, model, batch, count
        self.dataset = folder / "dataset"
        found = sorted(path for path in pictures.rglob("*") if path.suffix in (".png", ".jpg"))
        chosen = [found[index % len(found)].read_bytes() for index in range(count)]
        (self.dataset / "images").mkdir(parents=True)
        for index, data in enumerate(chosen):
            (self.dataset / "images" / f"{index:05d}.png").write_bytes(data)
        self.size = images.probe(chosen[0])
        self.loop = plainloop.Loop(model, chosen, batch)

    def invert(self, **options: Any) -> Any:
        """Invert everything into a fresh cache; return the summary."""
        cache = self._fresh("cache")
        unit = max(self.batch, min(32, self.count // 4))  # four units if they fill a batch; two are in flight
        return stylize.invert(self.dataset, cache, model=self.model, unit_size=unit, **self._how(), **options)

    def mix(self, **options: Any) -> Any:
        """Mix everything into a fresh folder, unguarded as the plain loop is; return the summary."""
        how = {**self._how(), "min_content_score": 0.0}
        return stylize.mix(self.folder / "cache", self._fresh("out"), **how, **options)

    def _how(self) -> dict[str, Any]:
        return {"batch_size": self.batch, "device": None if self.simulated else "cpu"}

    simulated = False
    stages: Sequence[str] = ("invert", "mix")

    def _fresh(self, name: str) -> Path:
        """Return a folder that does not exist; an older one moves away, since removing it would count."""
        if (self.folder / name).exists():
            (self.folder / name).rename(self.folder / f"{name}-{time.monotonic_ns()}")
        return self.folder / name


Times = dict[str, list[float]]


def turns(variants: Mapping[str, Variant], repeats: int) -> tuple[Times, Times]:
    """Return the seconds of each variant, one per turn, by the clock and of the processor.

    The order is reversed in every other turn. The processor's seconds are of this process.
    """
    times: Times = {name: [] for name in variants}
    processor: Times = {name: [] for name in variants}
    for turn in range(repeats):
        for name in list(variants)[:: 1 if turn % 2 == 0 else -1]:
            start, worked = time.perf_counter(), time.process_time()
            variants[name]()
            times[name].append(time.perf_counter() - start)
            processor[name].append(time.process_time() - worked)
            spent = f"{times[name][-1]:7.2f} s, processor {processor[name][-1]:7.2f} s"
            print(f"  turn {turn}: {name:24} {spent}", flush=True)
    return times, processor


def ratio(above: Sequence[float], below: Sequence[float]) -> float:
    """Return the median of the turns' ratios."""
    return round(statistics.median(a / b for a, b in zip(above, below, strict=True)), 3)


def against_loops(bench: Bench, repeats: int) -> dict[str, Any]:
    """Compare both commands with the plain loops; above 1 the pipeline is faster."""
    report: dict[str, Any] = {}
    bench.loop.by_core(plainloop.invert)  # both mix what both have inverted; and nobody's first run is counted
    bench.invert()
    for stage in bench.stages:
        task, command, summaries = getattr(plainloop, stage), getattr(bench, stage), []
        times, processor = turns(
            {
                f"{stage}: loop by stage": lambda task=task: bench.loop.by_stage(task),
                f"{stage}: loop by core": lambda task=task: bench.loop.by_core(task),
                f"{stage}: pipeline": lambda command=command, kept=summaries: kept.append(command()),
            },
            repeats,
        )
        by_stage, by_core, pipeline = times.values()
        worked_by_stage, worked_by_core, worked = processor.values()
        report[stage] = {
            "pictures per second": round(bench.count / statistics.median(pipeline), 2),
            "to the loop by stage": ratio(by_stage, pipeline),
            "to the loop by core": ratio(by_core, pipeline),
            "processor time to the loop by stage": ratio(worked_by_stage, worked),
            "processor time to the loop by core": ratio(worked_by_core, worked),
            "seconds": {name.partition(": ")[2]: [round(t, 2) for t in spent] for name, spent in times.items()},
            "processor seconds": {
                name.partition(": ")[2]: [round(t, 2) for t in spent] for name, spent in processor.items()
            },
            "seconds by stage": _stages(summaries[-1]),
        }
    return report


class Accelerator:
    """Stands for a bundle on a GPU: takes a set time per picture, one pass after the other, and no core.

    As on a GPU, passes are queued: what is asked for begins when all before it has ended, without a word from Python,
    and whoever fetches the result waits for it.
    """

    device = torch.device("cuda")  # so that the worker treats it as one; nothing is put there

    def __init__(self, model: str, seconds: float) -> None:
        bundle = load_bundle(model, device="cpu")
        self.height, self.width, self.sha256 = bundle.height, bundle.width, bundle.sha256
        self.num_ws, self.w_dim, self.noise_shapes = bundle.num_ws, bundle.w_dim, bundle.noise_shapes
        self.seconds = seconds  # for one network and one picture
        self.busy = 0.0
        self._free = 0.0  # when the last pass of the queue ends
        self._queueing, self._mine = threading.Lock(), threading.local()
        rng = np.random.default_rng(0)
        self._noise = [torch.from_numpy(rng.normal(0, 0.3, shape).astype(np.float32)) for shape in self.noise_shapes]
        self._picture = torch.from_numpy(rng.uniform(-1, 1, (3, self.height, self.width)).astype(np.float32))

    def _work(self, pictures: int) -> None:
        with self._queueing:
            self._free = max(self._free, time.perf_counter()) + self.seconds * pictures
            self._mine.ends = self._free
            self.busy += self.seconds * pictures

    def fetch(self, results: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Wait for what this thread asked for last."""
        time.sleep(max(0.0, self._mine.ends - time.perf_counter()))
        return results

    def invert(self, images_BCHW: Tensor) -> Codes:
        """Take the time of the encoder."""
        count = len(images_BCHW)
        self._work(count)
        noise = tuple(one.expand(count, *one.shape) for one in self._noise)
        return Codes(ws_BLD=torch.zeros(count, self.num_ws, self.w_dim), noise=noise)  # type: ignore[arg-type]

    def render(self, ws_BLD: Tensor, noise: Sequence[Tensor]) -> Tensor:  # noqa: ARG002
        """Take the time of the generator."""
        self._work(len(ws_BLD))
        return self._picture.expand(len(ws_BLD), *self._picture.shape).clone()


def with_accelerator(bench: Bench, repeats: int) -> dict[str, Any]:
    """Compare a run with the slower of its accelerator and everything else, for several speeds of the accelerator.

    The first batch and the last one overlap with nothing: let there be many. Of n batches on an accelerator that takes
    as long as the rest, one is lost thereby: at best n / (n + 1) is reached.
    """
    bench.simulated = True
    if "invert" not in bench.stages:
        bench.invert()  # for the cache
    report = {stage: _with_accelerator(bench, stage, repeats) for stage in bench.stages}
    bench.simulated = False
    return report


def _with_accelerator(bench: Bench, stage: str, repeats: int) -> dict[str, Any]:
    busy: dict[str, float] = {}
    spans: dict[str, list[float]] = {}

    def run(seconds: float, name: str) -> None:
        clock = Clock()
        device = Accelerator(bench.model, seconds)
        # Only what a worker loads is simulated; the driver looks at the real file.
        module = {"invert": "inverter", "mix": "mixer"}[stage]
        with (
            mock.patch(f"pipelines.{module}.load_bundle", return_value=device),
            mock.patch("stylize.models.transfer.fetch", device.fetch),
        ):
            getattr(bench, stage)(on_event=clock)
        busy[name] = device.busy
        spans.setdefault(name, []).append(clock.span)

    run(0.0, "first")  # warms up, and counts for nothing
    run(0.0, "nothing")
    passes = 3 if stage == "invert" else 2  # encoder and two reconstructions, or the syntheses of base and copy
    del spans["first"]
    own = spans.pop("nothing")[0] / bench.count / passes  # seconds per pass and picture of everything else
    settings = {"0x": 0.0, **{f"{factor:g}x": factor * own for factor in FACTORS}}
    turns(
        {
            f"{stage}: accelerator {name}": lambda seconds=seconds, name=name: run(seconds, name)
            for name, seconds in settings.items()
        },
        repeats,
    )
    rest = spans.pop("0x")
    return {
        name: {
            "ms per picture": round(1e3 * settings[name] * passes, 2),
            "efficiency": ratio([max(busy[name], other) for other in rest], spent),
            "accelerator busy": round(statistics.median(busy[name] / span for span in spent), 3),
        }
        for name, spent in spans.items()
    }


class Clock:
    """Takes the time from the start of the units to the end of the last one, without the start of the command."""

    def __init__(self) -> None:
        self._start = self._end = 0.0

    def __call__(self, event: Any) -> None:
        """Look at the clock when units begin, and whenever one ends."""
        if isinstance(event, RunStarted):
            self._start = time.perf_counter()
        elif isinstance(event, UnitDone):
            self._end = time.perf_counter()

    @property
    def span(self) -> float:
        """Seconds spent on units."""
        return self._end - self._start


def with_ray(bench: Bench, repeats: int) -> dict[str, Any]:
    """Compare two workers with one, and one with the local engine."""
    report = {}
    for stage in ("invert", "mix"):
        command, summaries = getattr(bench, stage), {}
        variants: dict[str, Variant] = {
            f"{stage}: {count} on ray": lambda count=count, command=command, kept=summaries: kept.update(
                {count: command(engine="ray", workers=count)}
            )
            for count in (1, 2)
        }
        times, _ = turns({f"{stage}: local": command, **variants}, repeats)
        local, one, two = times.values()
        report[stage] = {
            "two workers to one": ratio(one, two),
            "two workers to local": ratio(local, two),
            "seconds": {name: [round(t, 2) for t in spent] for name, spent in times.items()},
            "seconds by stage": _stages(summaries[2]),
        }
    return report


def _stages(summary: Any) -> dict[str, float]:
    return {stage: round(seconds, 2) for stage, seconds in summary.seconds.items()}


def markdown(report: Mapping[str, Any]) -> str:
    """Return the report as text with tables."""
    facts = "; ".join(f"{name}: {value}" for name, value in report["setting"].items())
    lines = ["# Throughput", "", f"Made by `{report['command']}`. {facts}.", ""]
    if loops := report.get("against loops"):
        lines += [
            "Ratios of times, medians of interleaved turns; above 1 the pipeline is the faster one; in brackets of",
            "processor times, which leave out what other programs took meanwhile. The loop by stage does batch after",
            "batch, each stage of it on all cores. The loop by core has a batch per core, and nothing ever waits: to",
            "do the bookkeeping besides in no more time, the pipeline would have to compute faster than the libraries.",
            "",
            "| | pictures/s | to the loop by stage | to the loop by core |",
            "|---|---|---|---|",
            *(
                f"| {stage} | {found['pictures per second']} "
                f"| {found['to the loop by stage']} ({found['processor time to the loop by stage']}) "
                f"| {found['to the loop by core']} ({found['processor time to the loop by core']}) |"
                for stage, found in loops.items()
            ),
            "",
        ]
    if simulated := report.get("simulated accelerator"):
        lines += [
            "With a simulated accelerator. Efficiency: the time of the slower side (the accelerator alone, or",
            "the run when it takes no time) to that of the run, first unit to last; 1 is perfect overlap.",
            "",
            "| | accelerator, ms per picture | efficiency | accelerator busy |",
            "|---|---|---|---|",
            *(
                f"| {stage}, {name} the rest | {found['ms per picture']} | "
                f"{found['efficiency']} | {found['accelerator busy']:.0%} |"
                for stage, settings in simulated.items()
                for name, found in settings.items()
            ),
            "",
        ]
    if scaling := report.get("ray"):
        lines += [
            "On Ray, starting the cluster and its workers included.",
            "",
            "| | two workers to one | two workers to the local engine |",
            "|---|---|---|",
            *(
                f"| {s} | {found['two workers to one']} | {found['two workers to local']} |"
                for s, found in scaling.items()
            ),
            "",
        ]
    staged = {**(report.get("against loops") or report.get("ray") or {})}
    lines += [f"Seconds by stage, {stage}: {_listed(found['seconds by stage'])}." for stage, found in staged.items()]
    return "\n".join(lines).rstrip() + "\n"


def _listed(seconds: Mapping[str, float]) -> str:
    total = sum(seconds.values())
    return ", ".join(f"{stage} {spent:.1f} ({spent / total:.0%})" for stage, spent in seconds.items())


def main() -> None:
    """Measure and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--count", type=int, default=128)
    parser.add_argument("--model", default="camvid")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--engine", choices=("local", "ray"), default="local")
    parser.add_argument("--only", choices=("against loops", "simulated accelerator"))
    parser.add_argument("--stages", nargs="+", choices=("invert", "mix"), default=("invert", "mix"))
    parser.add_argument("--name", required=True, help="of the files in benchmarks/results")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), options.pictures, options.count, options.model, options.batch)
        bench.stages = options.stages
        report: dict[str, Any] = {
            "command": f"python benchmarks/throughput.py --pictures {options.pictures} --count {options.count} "
            f"--engine {options.engine} --stages {' '.join(options.stages)} --repeats {options.repeats} "
            + (f"--only '{options.only}' " if options.only else "")
            + f"--name {options.name}",
            "setting": {
                "pictures": f"{options.count} of {'x'.join(map(str, bench.size))}",
                "model": options.model,
                "batch": options.batch,
                "cores": os.cpu_count(),
                "load": round(os.getloadavg()[0], 1),
                "png by": DEFLATE.__name__,
            },
        }
        parts: dict[str, Callable[[Bench, int], dict[str, Any]]] = {
            "against loops": against_loops,
            "simulated accelerator": with_accelerator,
        }
        if options.engine == "ray":
            parts = {"ray": with_ray}
        for name, measure in parts.items():
            if options.only in (None, name):
                report[name] = measure(bench, options.repeats)
                _keep(report, options.name)
    print(markdown(report))


def _keep(report: Mapping[str, Any], name: str) -> None:
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"throughput-{name}.json").write_text(json.dumps(report, indent=2) + "\n")
    (RESULTS / f"throughput-{name}.md").write_text(markdown(report))


if __name__ == "__main__":
    main()
