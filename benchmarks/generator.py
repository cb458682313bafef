"""Measure the synthesis network against the schemes of the original StyleGAN2 code, on one CPU thread.

python benchmarks/generator.py --out benchmarks/results/generator

The two schemes are our own writing of what the original does: `fused` scales one kernel per picture and convolves all
pictures as groups; `unfused` scales the input, shares the kernel and scales the output. Both upsample by a transposed
convolution and a padded filter per channel, and insert zeros to upsample the picture. Variants take turns, the first
turn is thrown away, and the processor time of the process is taken, because the machine may be shared. The last table
measures ways to do the up-convolution alone: it is why `ops.modulated_conv` does it as it does.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
import torch.nn.functional as F
from torch import Tensor

from stylize.models.generator import Generator, GeneratorConfig, SynthesisBlock, SynthesisLayer, ToRGB

RESOLUTIONS = (4, 8, 16, 32, 64, 128, 256)
CONFIGURATIONS = {"light 96x128": GeneratorConfig()} | {
    f"{base} 256x256": GeneratorConfig(
        const_size=(4, 4),
        channels=tuple(min(base // r, 512) for r in RESOLUTIONS),
        z_dim=512,
        w_dim=512,
        mapping_layers=8,
    )
    for base in (16384, 32768)
}
UP_CONVOLUTIONS = ((1, 512, 512, 16), (1, 256, 128, 64), (1, 128, 64, 128), (16, 128, 96, 12), (16, 48, 24, 48))
TAPS = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 4
Layer = Callable[[SynthesisLayer, Tensor, Tensor, bool], Tensor]
Layout = torch.memory_format


def filtered(x_BCHW: Tensor) -> Tensor:
    """Pad, then filter each channel."""
    channels = x_BCHW.shape[1]
    return F.conv2d(F.pad(x_BCHW, (1, 1, 1, 1)), TAPS.outer(TAPS).expand(channels, 1, 4, 4), groups=channels)


def zero_inserted(x_BCHW: Tensor) -> Tensor:
    """Double a picture: zeros between its pixels, zeros around it, filter each channel."""
    batch, channels, height, width = x_BCHW.shape
    wide = F.pad(x_BCHW.reshape(batch, channels, height, 1, width, 1), (0, 1, 0, 0, 0, 1))
    wide = F.pad(wide.reshape(batch, channels, 2 * height, 2 * width), (2, 1, 2, 1))
    return F.conv2d(wide, TAPS.outer(TAPS).expand(channels, 1, 4, 4), groups=channels)


def kernels(weight_OIKK: Tensor, style_BI: Tensor, demodulate: bool) -> tuple[Tensor, Tensor]:
    """Return one kernel per picture `[B, O, I, K, K]`, unscaled, and the factors of demodulation."""
    kernel = weight_OIKK[None] * style_BI[:, None, :, None, None]
    factors = (kernel.square().sum(dim=(2, 3, 4)) + 1e-8).rsqrt() if demodulate else kernel.new_ones(1)
    return kernel, factors


def fused(weight_OIKK: Tensor, x_BCHW: Tensor, style_BI: Tensor, up: bool, demodulate: bool) -> Tensor:
    """Convolve all pictures as groups of one, each with its own kernel."""
    batch, (outputs, inputs, size, _) = len(x_BCHW), weight_OIKK.shape
    kernel, factors = kernels(weight_OIKK, style_BI, demodulate)
    if demodulate:
        kernel = kernel * factors[:, :, None, None, None]
    grouped = x_BCHW.reshape(1, batch * inputs, *x_BCHW.shape[2:])
    if up:
        kernel = kernel.transpose(1, 2).reshape(batch * inputs, outputs, size, size)
        grouped = filtered(F.conv_transpose2d(grouped, kernel, stride=2, groups=batch))
    else:
        grouped = F.conv2d(grouped, kernel.reshape(-1, inputs, size, size), padding=size // 2, groups=batch)
    return grouped.reshape(batch, outputs, *grouped.shape[2:])


def unfused(weight_OIKK: Tensor, x_BCHW: Tensor, style_BI: Tensor, up: bool, demodulate: bool) -> Tensor:
    """Scale the input, convolve all pictures with one kernel, scale the output."""
    _, factors = kernels(weight_OIKK, style_BI, demodulate)
    x_BCHW = x_BCHW * style_BI[:, :, None, None]
    if up:
        x_BCHW = filtered(F.conv_transpose2d(x_BCHW, weight_OIKK.transpose(0, 1), stride=2))
    else:
        x_BCHW = F.conv2d(x_BCHW, weight_OIKK, padding=weight_OIKK.shape[-1] // 2)
    return x_BCHW * factors[:, :, None, None] if demodulate else x_BCHW


def original_synthesis(
    generator: Generator, ws_BLD: Tensor, *, scheme: Callable[..., Tensor], layout: Layout
) -> Tensor:
    """Return pictures of our weights by one of the schemes; skip architecture only."""

    def convolve(layer: SynthesisLayer, x_BCHW: Tensor, w_BD: Tensor) -> Tensor:
        x_BCHW = scheme(layer.weight, x_BCHW, layer.affine(w_BD), layer.up, True)
        x_BCHW = x_BCHW + layer.noise_const * layer.noise_strength
        return F.leaky_relu(x_BCHW + layer.bias[:, None, None], 0.2) * 2**0.5

    def colour(layer: ToRGB, x_BCHW: Tensor, w_BD: Tensor) -> Tensor:
        return (
            scheme(layer.weight, x_BCHW, layer.affine(w_BD) * layer.weight_gain, False, False)
            + layer.bias[:, None, None]
        )

    x, image, codes = torch.empty(0), None, iter(ws_BLD.unbind(dim=1))
    code = next(codes)
    for block in generator.synthesis.blocks:
        assert isinstance(block, SynthesisBlock)
        assert block.torgb is not None
        if block.const is not None:
            x = block.const[None].repeat(len(ws_BLD), 1, 1, 1).contiguous(memory_format=layout)
        else:
            assert block.conv0 is not None
            x, code = convolve(block.conv0, x, code), next(codes)
        x, code = convolve(block.conv1, x, code), next(codes)
        added = colour(block.torgb, x, code)
        image = added if image is None else zero_inserted(image) + added
    assert image is not None
    return image


def variants(generator: Generator) -> dict[str, Callable[[Tensor], Tensor]]:
    """Return ours and the schemes, each in both memory layouts; ours chooses its own."""
    made: dict[str, Callable[[Tensor], Tensor]] = {"ours": generator.synthesis}
    for name, scheme in (("fused", fused), ("unfused", unfused)):
        for suffix, layout in (("", torch.contiguous_format), (" channels-last", torch.channels_last)):
            made[name + suffix] = partial(original_synthesis, generator, scheme=scheme, layout=layout)
    return made


def take_turns(calls: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Return the median milliseconds of processor time of each call; one turn more is made and thrown away."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats + 1):
        for name, call in calls.items():
            start = time.process_time()
            call()
            times[name].append(1000 * (time.process_time() - start))
    return {name: statistics.median(values[1:]) for name, values in times.items()}


def measure_synthesis(name: str, batch: int, backward: bool, repeats: int) -> dict[str, Any]:
    """Time all variants on the same weights and codes, after a look that they agree."""
    torch.manual_seed(0)
    generator = Generator(CONFIGURATIONS[name])
    ws_BLD = torch.randn(batch, generator.num_ws, generator.w_dim)
    made = variants(generator)
    with torch.inference_mode():
        pictures = {variant: call(ws_BLD) for variant, call in made.items()}
    apart = max((picture - pictures["ours"]).abs().max().item() for picture in pictures.values())

    def run(call: Callable[[Tensor], Tensor]) -> None:
        if backward:
            generator.zero_grad()
            call(ws_BLD.clone().requires_grad_()).square().mean().backward()
        else:
            with torch.inference_mode():
                call(ws_BLD)

    times = take_turns({variant: partial(run, call) for variant, call in made.items()}, repeats)
    return {"configuration": name, "batch": batch, "backward": backward, "ms": times, "largest_difference": apart}


def up_convolutions() -> dict[str, Callable[[Tensor, Tensor], Tensor]]:
    """Return ways to double a picture and convolve it that give the same numbers."""

    def transposed(x: Tensor, weight: Tensor) -> Tensor:
        return F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)

    def bilinear_first(x: Tensor, weight: Tensor) -> Tensor:
        x = F.interpolate(F.pad(x, (1, 1, 1, 1)), scale_factor=2, mode="bilinear", align_corners=False)[
            :, :, 1:-1, 1:-1
        ]
        return F.conv2d(x, weight.flip(2, 3))

    def one_filter(x: Tensor, weight: Tensor) -> Tensor:
        x = transposed(x, weight)
        channels = x.shape[1]
        return F.conv2d(x, TAPS.outer(TAPS).expand(channels, 1, 4, 4), padding=1, groups=channels)

    def two_filters(x: Tensor, weight: Tensor) -> Tensor:
        x = transposed(x, weight)
        channels = x.shape[1]
        x = F.conv2d(x, TAPS.view(1, 1, 4, 1).expand(channels, 1, 4, 1), padding=(1, 0), groups=channels)
        return F.conv2d(x, TAPS.view(1, 1, 1, 4).expand(channels, 1, 1, 4), padding=(0, 1), groups=channels)

    def four_phases(x: Tensor, weight: Tensor) -> Tensor:
        outputs, inputs = weight.shape[:2]
        flat = weight.flip(2, 3).reshape(outputs * inputs, 1, 3, 3)
        whole = F.conv2d(flat, TAPS.outer(TAPS)[None, None], padding=3).view(outputs, inputs, 6, 6)
        phases = torch.stack([whole[:, :, 1 - i :: 2, 1 - j :: 2] for i in (0, 1) for j in (0, 1)], dim=1)
        return F.pixel_shuffle(F.conv2d(x, phases.reshape(4 * outputs, inputs, 3, 3), padding=1), 2)

    return {
        "transposed, one 2-D filter": one_filter,
        "transposed, two 1-D filters": two_filters,
        "bilinear, then 3x3": bilinear_first,
        "four phases, kernels made anew": four_phases,
    }


def measure_up_convolution(shape: tuple[int, int, int, int], channels_last: bool, repeats: int) -> dict[str, Any]:
    """Time the ways to up-convolve, forward."""
    batch, inputs, outputs, size = shape
    layout = torch.channels_last if channels_last else torch.contiguous_format
    x, weight = (
        torch.randn(batch, inputs, size, size).contiguous(memory_format=layout),
        torch.randn(outputs, inputs, 3, 3),
    )
    ways = up_convolutions()
    with torch.inference_mode():
        results = [way(x, weight) for way in ways.values()]
        apart = max((result - results[0]).abs().max().item() for result in results) / results[0].std().item()
        times = take_turns({name: partial(way, x, weight) for name, way in ways.items()}, repeats)
    return {"shape": shape, "channels_last": channels_last, "ms": times, "largest_difference": apart}


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    """Return the lines of a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines] + [""]


def report(results: dict[str, Any]) -> str:
    """Return the tables in Markdown."""
    lines = ["# Synthesis on one CPU thread", "", str(__doc__).split("\n\n", 2)[2].strip(), "", results["machine"], ""]
    for backward, title in ((False, "Forward"), (True, "Forward and backward")):
        rows = [row for row in results["synthesis"] if row["backward"] is backward]
        rows.sort(key=lambda row: (list(CONFIGURATIONS).index(row["configuration"]), row["batch"]))
        if rows:
            others = [name for name in rows[0]["ms"] if name != "ours"]
            head = ["generator", "batch", "ours, ms a picture", *(f"{name} / ours" for name in others)]
            body = [
                [row["configuration"], str(row["batch"]), f"{row['ms']['ours'] / row['batch']:.1f}"]
                + [f"{row['ms'][name] / row['ms']['ours']:.2f}" for name in others]
                for row in rows
            ]
            lines += [f"## {title}", "", *table(head, body)]
    ways = list(up_convolutions())
    body = [
        ["x".join(map(str, row["shape"])), "yes" if row["channels_last"] else "no"]
        + [f"{row['ms'][way]:.1f}" for way in ways]
        for row in results["up_convolution"]
    ]
    lines += ["## Up-convolution alone, ms", "", *table(["batch x in x out x size", "channels last", *ways], body)]
    return "\n".join(lines)


def main() -> None:
    """Measure, and write JSON and Markdown after every step, so that a run that is cut short leaves what it has."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", 1)[0])
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/generator"), help="path without suffix")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--configurations", nargs="+", choices=list(CONFIGURATIONS), default=list(CONFIGURATIONS))
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 4, 16])
    parser.add_argument("--resume", action="store_true", help="keep what the JSON holds already")
    options = parser.parse_args()
    torch.set_num_threads(1)
    machine = f"torch {torch.__version__}, {platform.machine()}, {torch.backends.cpu.get_cpu_capability()}, 1 thread"
    results: dict[str, Any] = {"machine": machine, "repeats": options.repeats, "synthesis": [], "up_convolution": []}
    stored = options.out.with_suffix(".json")
    if options.resume and stored.exists():
        results = json.loads(stored.read_text())
    done = {(row["configuration"], row["batch"], row["backward"]) for row in results["synthesis"]}

    def keep(kind: str, measured: dict[str, Any]) -> None:
        results[kind].append(measured)
        print(measured, flush=True)
        options.out.parent.mkdir(parents=True, exist_ok=True)
        stored.write_text(json.dumps(results, indent=2) + "\n")
        options.out.with_suffix(".md").write_text(report(results))

    for shape in UP_CONVOLUTIONS[len(results["up_convolution"]) // 2 :]:
        for channels_last in (False, True):
            keep("up_convolution", measure_up_convolution(shape, channels_last, options.repeats))
    for backward, batch, name in itertools.product((False, True), options.batches, options.configurations):
        if (name, batch, backward) not in done:
            keep("synthesis", measure_synthesis(name, batch, backward, options.repeats))


if __name__ == "__main__":
    main()
