"""Measure the model against the reference layout: speed by part, and reconstruction after the same training.

The reference (`benchmarks/reference_layout.py`) has the same pyramid and noise heads, but a tower of convolutions with
stride 2 for each w+ code, where ours shares them by pyramid level, and a synthesis with one kernel per picture, where
ours scales inputs and outputs. The synthesis gives the same numbers either way, up to rounding.

Speed: both take turns in one process on one thread, the first turn is thrown away, and the median of the processor time
counts, because the machine may be shared. `both` is what `invert` computes: the codes, and the picture from them.
Reconstruction: both layouts are trained by the same recipe on the same frames for as many images, the synthesis network
with them, and reconstruct frames of a drive that neither has seen. A second call goes on where the first was stopped.

    python benchmarks/model_layout.py speed                  # some minutes
    python benchmarks/model_layout.py reconstruction --work runs --images 8000
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import mean, median
from typing import Any
from unittest.mock import patch

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from generator import table, take_turns
from reference_layout import TowerEncoder, reference_bundle
from torch import Tensor, nn

from pipelines.training import train_encoder
from stylize.models import bundle as models
from stylize.models.bundle import Bundle
from stylize.models.encoder import LIGHT, PAPER, EncoderConfig
from stylize.training import config as recipes
from stylize.training import loop
from stylize.training.events import TrainingEvent
from stylize.training.generator_config import generator_for

RESULTS = Path(__file__).parent / "results"
CAMVID = Path(__file__).parents[1].parent / "shared" / "data" / "camvid"
HOLDOUT = "*0006R0*"
SIZE = (48, 64)  # of the trained models
EVALUATIONS = 4  # per training
LAYOUTS = ("ours", "reference")
ENCODERS: dict[str, EncoderConfig] = {"light": LIGHT, "paper": PAPER}
# Preset, size, and the rounds for each batch size.
SHAPES: tuple[tuple[str, tuple[int, int], Mapping[int, int]], ...] = (
    ("light", (96, 128), {1: 15, 4: 9, 8: 7}),
    ("light", (128, 160), {1: 15, 4: 9, 8: 7}),
    ("paper", (256, 512), {1: 3, 4: 1}),
)
PROFILED = {"light": 4, "paper": 1}  # batch sizes


def bundles(preset: str, size: tuple[int, int]) -> dict[str, Bundle]:
    """Make an untrained model of each layout, with equal synthesis weights."""
    shape, encoder = generator_for(size, preset), ENCODERS[preset]
    made = {"ours": Bundle.create(shape, encoder), "reference": reference_bundle(shape, encoder)}
    made["reference"].generator.load_state_dict(made["ours"].generator.state_dict())
    return {layout: bundle.eval().requires_grad_(False) for layout, bundle in made.items()}


@torch.inference_mode()
def measure_speed(pair: Mapping[str, Bundle], batch: int, rounds: int) -> dict[str, Any]:
    """Return the milliseconds of encoder, synthesis and both of each layout, and how far the pictures are apart."""
    images = torch.rand(batch, 3, pair["ours"].height, pair["ours"].width) * 2 - 1
    codes = pair["ours"].invert(images)
    calls: dict[str, Callable[[], object]] = {}
    for layout, bundle in pair.items():
        calls[f"encoder {layout}"] = partial(bundle.encoder, images)
        calls[f"synthesis {layout}"] = partial(bundle.render, codes.ws_BLD, codes.noise)
        calls[f"both {layout}"] = partial(_invert_and_render, bundle, images)
    pictures = [bundle.render(codes.ws_BLD, codes.noise) for bundle in pair.values()]
    apart = (pictures[0] - pictures[1]).abs().max().item()
    return {"batch": batch, "ms": take_turns(calls, rounds), "largest_difference": apart}


def _invert_and_render(bundle: Bundle, images_BCHW: Tensor) -> Tensor:
    codes = bundle.invert(images_BCHW)
    return bundle.render(codes.ws_BLD, codes.noise)


def parts(bundle: Bundle) -> dict[nn.Module, str]:
    """Return the modules to time, each with the part that it belongs to; a block holds layers that count apart."""
    encoder, synthesis = bundle.encoder, bundle.generator.synthesis
    named: dict[nn.Module, str] = {encoder.pyramid: "pyramid"}
    named |= dict.fromkeys(encoder.style.values(), "w+ heads") | dict.fromkeys(encoder.noise, "noise heads")
    height, width = bundle.generator.config.const_size
    for index, block in enumerate(synthesis.blocks):
        name = f"synthesis at {height << index}x{width << index}"
        named |= {block: "colour", block.conv1: name} | ({} if block.conv0 is None else {block.conv0: name})
    return named


@contextmanager
def timed(named: Mapping[nn.Module, str], spent: dict[str, float]) -> Iterator[None]:
    """Add the processor seconds of each part to `spent`; of a module within another, to its own part only."""
    running: list[list[float]] = []  # for each open module: when it began, and the time of those within

    def begin(*_: object) -> None:
        running.append([time.process_time(), 0.0])

    def end(module: nn.Module, *_: object) -> None:
        began, within = running.pop()
        took = time.process_time() - began
        spent[named[module]] += took - within
        if running:
            running[-1][1] += took

    hooks = [module.register_forward_pre_hook(begin) for module in named]
    hooks += [module.register_forward_hook(end) for module in named]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@torch.inference_mode()
def measure_parts(pair: Mapping[str, Bundle], batch: int, rounds: int) -> dict[str, dict[str, float]]:
    """Return the median milliseconds of each part of each layout, in turns."""
    images = torch.rand(batch, 3, pair["ours"].height, pair["ours"].width) * 2 - 1
    taken: dict[str, dict[str, list[float]]] = {layout: defaultdict(list) for layout in pair}
    for turn in range(rounds + 1):
        for layout, bundle in pair.items():
            spent: dict[str, float] = defaultdict(float)
            with timed(parts(bundle), spent):
                _invert_and_render(bundle, images)
            for name, seconds in spent.items():
                taken[layout][name] += [1000 * seconds] if turn else []
    return {layout: {name: median(values) for name, values in by.items()} for layout, by in taken.items()}


def measure(preset: str, size: tuple[int, int], rounds: Mapping[int, int]) -> dict[str, Any]:
    """Return speed by batch size, the profile, and the numbers of parameters of one shape."""
    pair = bundles(preset, size)
    profiled = PROFILED[preset]
    row: dict[str, Any] = {
        "shape": f"{preset} {size[0]}x{size[1]}",
        "encoder_parameters": {n: sum(p.numel() for p in b.encoder.parameters()) for n, b in pair.items()},
        "speed": [measure_speed(pair, batch, count) for batch, count in rounds.items()],
    }
    return row | {"profile": {"batch": profiled, "ms": measure_parts(pair, profiled, rounds[profiled])}}


def train(layout: str, seed: int, images: int, work: Path, dataset: Path, holdout: str) -> dict[str, Any]:
    """Train a model, or go on, or read what a finished training gave; return its figures."""
    folder = work / f"{layout}-{images}-{seed}"
    stored = folder / "figures.json"
    if stored.exists():
        return dict(json.loads(stored.read_text()))
    loop.EVALUATIONS = EVALUATIONS
    # With towers too the synthesis is ours, which gives the same numbers sooner.
    encoder = TowerEncoder if layout == "reference" else models.make_encoder
    with patch.object(models, "make_encoder", encoder):
        summary = train_encoder(
            str(dataset),
            str(folder),
            training=replace(recipes.LIGHT, images=images, seed=seed),
            new_generator=generator_for(SIZE),
            tune_generator=True,
            holdout=holdout,
            on_event=partial(_say, folder.name),
        )
    figures = {"layout": layout, "seed": seed, "images": images, "heldout_psnr": summary.heldout_psnr}
    stored.write_text(json.dumps(figures, indent=2) + "\n")
    return figures


def _say(run: str, event: TrainingEvent) -> None:
    if event.message:
        print(f"{time.strftime('%H:%M:%S')} {run}: {event.message}", flush=True)


def report(results: Mapping[str, Any]) -> str:
    """Return the tables in Markdown."""
    text = str(__doc__).split("\n\n", 1)[1].split("\n\n    python", 1)[0]
    lines = ["# The model against the reference layout", "", text, "", results["machine"], ""]
    if results["speed"]:
        lines += ["## Milliseconds a picture", "", *_speed_table(results["speed"]), "## By part", ""]
        for shape in results["speed"]:
            lines += _profile_table(shape)
    if len(results["reconstruction"]) >= len(LAYOUTS):
        lines += _reconstruction(results["reconstruction"])
    return "\n".join(lines)


def _speed_table(shapes: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = []
    for shape in shapes:
        for speed in shape["speed"]:
            cells = [shape["shape"], str(speed["batch"])]
            for what in ("encoder", "synthesis", "both"):
                ours, its = (speed["ms"][f"{what} {layout}"] / speed["batch"] for layout in LAYOUTS)
                cells += [f"{ours:.1f}", f"{its:.1f}", f"{its / ours:.2f}"]
            rows.append([*cells, f"{speed['largest_difference']:.0e}"])
    head = ["shape", "batch"]
    for what in ("encoder", "synthesis", "both"):
        head += [f"{what}: ours", "reference", "times as fast"]
    return table([*head, "syntheses apart by"], rows)


def _profile_table(shape: Mapping[str, Any]) -> list[str]:
    batch, by = shape["profile"]["batch"], shape["profile"]["ms"]
    whole = [sum(by[layout].values()) for layout in LAYOUTS]
    rows = []
    for name in by["ours"]:
        ours, its = (by[layout][name] for layout in LAYOUTS)
        share = f"{ours / whole[0]:.0%}"
        rows.append([name, f"{ours / batch:.2f}", share, f"{its / batch:.2f}", f"{its / ours:.2f}"])
    millions = [f"{shape['encoder_parameters'][layout] / 1e6:.1f} M" for layout in LAYOUTS]
    title = (
        f"{shape['shape']}, batch {batch}, milliseconds a picture; the encoder has {millions[0]} parameters, "
        f"the reference's {millions[1]}:"
    )
    head = ["part", "ours", "share of ours", "reference", "times as fast"]
    return [title, "", *table(head, rows)]


def _reconstruction(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = [
        [str(seed), *(f"{run['heldout_psnr']:.2f}" for layout in LAYOUTS for run in runs if _is(run, layout, seed))]
        for seed in sorted({run["seed"] for run in runs})
    ]
    means = [mean(run["heldout_psnr"] for run in runs if run["layout"] == layout) for layout in LAYOUTS]
    rows.append(["mean", *(f"{value:.2f}" for value in means)])
    title = f"PSNR in dB of the frames kept out of training, after {runs[0]['images']:,} images at {SIZE[0]}x{SIZE[1]}:"
    return ["## Reconstruction", "", title, "", *table(["seed", *LAYOUTS], rows)]


def _is(run: Mapping[str, Any], layout: str, seed: int) -> bool:
    return bool(run["layout"] == layout and run["seed"] == seed)


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("speed", "reconstruction"))
    parser.add_argument("--work", type=Path, help="folder of the trainings")
    parser.add_argument("--dataset", type=Path, default=CAMVID)
    parser.add_argument("--holdout", default=HOLDOUT, help="ids of the pictures to reconstruct")
    parser.add_argument("--images", type=int, default=8_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--out", type=Path, default=RESULTS / "model_layout", help="path without suffix")
    options = parser.parse_args()
    if options.what == "reconstruction" and options.work is None:
        parser.error("reconstruction trains models: give --work, the folder for them")
    return options


def main() -> None:
    """Measure; write JSON and Markdown after every step, so that a run that is cut short leaves what it has."""
    options = parse()
    torch.set_num_threads(1)
    stored = options.out.with_suffix(".json")
    results: dict[str, Any] = {"speed": [], "reconstruction": []}
    if stored.exists():
        results |= json.loads(stored.read_text())
    capability = torch.backends.cpu.get_cpu_capability()
    results |= {"machine": f"torch {torch.__version__}, {platform.machine()}, {capability}, 1 thread", options.what: []}
    if options.what == "speed":
        steps = [partial(measure, *shape) for shape in SHAPES]
    else:
        where = (options.images, options.work, options.dataset, options.holdout)
        steps = [partial(train, layout, seed, *where) for seed in options.seeds for layout in LAYOUTS]
    for step in steps:
        results[options.what].append(step())
        options.out.parent.mkdir(parents=True, exist_ok=True)
        stored.write_text(json.dumps(results, indent=2) + "\n")
        options.out.with_suffix(".md").write_text(report(results))
    print(report(results))


if __name__ == "__main__":
    main()
