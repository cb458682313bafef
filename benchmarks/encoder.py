"""Measure how fast the encoder is: light and paper shape, one picture and a batch, both memory layouts.

The variants of a shape take turns in every round, so that another program's load falls on all of them alike; the median
of the rounds counts, and the ratio to the contiguous layout says more than the milliseconds.

    python benchmarks/encoder.py --rounds 9
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from stylize.models.bundle import make_encoder
from stylize.models.encoder import LIGHT, PAPER, EncoderConfig
from stylize.models.generator import Generator
from stylize.training.generator_config import generator_for

RESULTS = Path(__file__).parent / "results"
SHAPES: dict[str, tuple[EncoderConfig, tuple[int, int]]] = {"light": (LIGHT, (96, 128)), "paper": (PAPER, (256, 512))}
BATCHES = (1, 8)
LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
LEAST_SECONDS = 0.2  # of one timing; short passes are repeated


def variants(shape: str) -> dict[tuple[int, str], Callable[[], Any]]:
    """Return one forward pass per batch size and layout."""
    config, size = SHAPES[shape]
    torch.manual_seed(0)
    generator = Generator(generator_for(size, shape))
    passes = {}
    for layout, memory_format in LAYOUTS.items():
        encoder = make_encoder(config, generator).eval().requires_grad_(False).to(memory_format=memory_format)
        for batch in BATCHES:
            images = (torch.rand(batch, 3, *size) * 2 - 1).contiguous(memory_format=memory_format)
            passes[batch, layout] = lambda encoder=encoder, images=images: encoder(images)
    return passes


def seconds(run: Callable[[], Any]) -> float:
    """Return the mean time of one pass, over as many as make a measurable span."""
    count, start = 0, time.perf_counter()
    while count == 0 or time.perf_counter() - start < LEAST_SECONDS:
        run()
        count += 1
    return (time.perf_counter() - start) / count


@torch.inference_mode()
def measure(shape: str, rounds: int) -> list[dict[str, Any]]:
    """Time the variants of a shape in turns; return one row each."""
    passes = variants(shape)
    times: dict[tuple[int, str], list[float]] = {key: [] for key in passes}
    for run in passes.values():
        run()  # warms up caches and kernels
    for _ in range(rounds):
        for key, run in passes.items():
            times[key].append(seconds(run) / key[0])
    rows = []
    for (batch, layout), taken in times.items():
        ratio = statistics.median(c / t for c, t in zip(times[batch, "contiguous"], taken, strict=True))
        rows.append(
            {
                "shape": shape,
                "batch": batch,
                "layout": layout,
                "ms_per_image": round(1e3 * statistics.median(taken), 2),
                "images_per_second": round(1 / statistics.median(taken), 2),
                "speed_against_contiguous": round(ratio, 3),
            }
        )
    return rows


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Lay rows out as a markdown table."""
    names = list(rows[0])
    lines = [" | ".join(names), " | ".join("---" for _ in names)]
    lines += [" | ".join(str(row[name]) for name in names) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def main() -> None:
    """Measure, print the table, and write it with the raw figures into `benchmarks/results/`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", choices=list(SHAPES), default=list(SHAPES))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows = [row for shape in options.shapes for row in measure(shape, options.rounds)]
    setting = {"torch": torch.__version__, "machine": platform.machine(), "threads": options.threads}
    text = f"# Encoder speed\n\ntorch {torch.__version__}, {options.threads} CPU threads, {options.rounds} rounds\n\n"
    print(table(rows))
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "encoder.json").write_text(json.dumps({"setting": setting, "rows": rows}, indent=2) + "\n")
    (options.out / "encoder.md").write_text(text + table(rows) + "\n")


if __name__ == "__main__":
    main()
