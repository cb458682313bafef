"""Measure how well a bundle reconstructs pictures, before and after its noise maps are packed for the cache.

PSNR in dB at model size against the picture in the model's frame (peak 2, over [-1, 1]), and bytes per picture.

    python benchmarks/reconstruction.py --model run/bundle.safetensors --dataset data/camvid --holdout "*0006R0*"
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stylize.codec import NoiseMode, decode_noise, encode_noise
from stylize.datasets.base import Dataset, Sample, open_dataset
from stylize.errors import BadInput, StylizeError
from stylize.images import decode_rgb, to_model
from stylize.metrics import psnr
from stylize.models.bundle import Bundle, load_bundle
from stylize.training.inputs import find_inputs

RESULTS = Path(__file__).parent / "results"
CAMVID = Path(__file__).parents[1].parent / "shared" / "data" / "camvid"
BATCH = 8
PACKINGS: tuple[NoiseMode | None, ...] = (None, "fp16", "int8")  # None: fp32 as it is


def batches(bundle: Bundle, dataset: Dataset, samples: Sequence[Sample]) -> Iterator[Tensor]:
    """Yield pictures `[B, 3, height, width]` in the model's frame; the unreadable are named and left out."""
    frames = []
    for sample in samples:
        try:
            frames.append(to_model(decode_rgb(dataset.storage.read(sample.image)), bundle.height, bundle.width))
        except BadInput as error:
            print(f"left out {sample.id}: {error}", file=sys.stderr)
        if len(frames) == BATCH:
            yield torch.from_numpy(np.stack(frames))
            frames = []
    if frames:
        yield torch.from_numpy(np.stack(frames))


def packed(noise_BCHW: Tensor, mode: NoiseMode | None) -> tuple[Tensor, int]:
    """Return noise maps as they come back from the cache, and the bytes that they take there."""
    if mode is None:
        return noise_BCHW, noise_BCHW.numel() * 4
    maps, size = [], 0
    for noise_CHW in noise_BCHW.cpu().numpy():
        blob, scale_C = encode_noise(noise_CHW, mode)
        size += len(blob) + scale_C.nbytes
        maps.append(decode_noise(blob, scale_C, noise_CHW.shape, mode))
    return torch.from_numpy(np.stack(maps)), size


def measure(bundle: Bundle, dataset: Dataset, samples: Sequence[Sample]) -> list[dict[str, Any]]:
    """Invert and render every picture once per packing; return one row per packing."""
    values: dict[NoiseMode | None, list[Tensor]] = {mode: [] for mode in PACKINGS}
    sizes = dict.fromkeys(PACKINGS, 0)
    count = 0
    for images_BCHW in batches(bundle, dataset, samples):
        codes = bundle.invert(images_BCHW)
        count += len(images_BCHW)
        for mode in PACKINGS:
            maps = [packed(noise_BCHW, mode) for noise_BCHW in codes.noise]
            made = bundle.render(codes.ws_BLD, [noise_BCHW for noise_BCHW, _ in maps]).clamp(-1, 1)
            values[mode].append(psnr(made.cpu(), images_BCHW))
            sizes[mode] += sum(size for _, size in maps) + codes.ws_BLD.numel() * 4
    exact = torch.cat(values[None])
    return [
        _row(mode or "fp32", torch.cat(values[mode]), exact, sizes[mode] / count, sizes[None] / count)
        for mode in PACKINGS
    ]


def _row(name: str, psnr_B: Tensor, exact_B: Tensor, size: float, raw: float) -> dict[str, Any]:
    return {
        "noise maps": name,
        "pictures": len(psnr_B),
        "mean dB": round(psnr_B.mean().item(), 3),
        "5th percentile dB": round(psnr_B.quantile(0.05).item(), 3),
        "mean loss dB": round((exact_B - psnr_B).mean().item(), 4),
        "worst loss dB": round((exact_B - psnr_B).max().item(), 4),
        "bytes per picture": round(size),
        "of raw fp32": f"{100 * size / raw:.1f} %",
    }


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Lay rows out as a markdown table."""
    names = list(rows[0])
    lines = [" | ".join(names), " | ".join("---" for _ in names)]
    lines += [" | ".join(str(row[name]) for name in names) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def chosen(options: argparse.Namespace) -> tuple[Dataset, Sequence[Sample]]:
    """Return the dataset and those of its pictures that are asked for."""
    if options.holdout:
        found = find_inputs(str(options.dataset), layout=options.layout, split=options.split, holdout=options.holdout)
        return found.dataset, found.heldout[: options.limit]
    dataset = open_dataset(options.dataset, layout=options.layout, split=options.split)
    return dataset, dataset.samples[: options.limit]


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="camvid")
    parser.add_argument("--dataset", default=CAMVID)
    parser.add_argument("--layout", default="auto")
    parser.add_argument("--split")
    parser.add_argument("--holdout", help="only picture ids like this, such as those kept out of training")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--name", default="reconstruction", help="of the files in benchmarks/results")
    parser.add_argument("--out", type=Path, default=RESULTS)
    return parser.parse_args()


def main() -> None:
    """Measure, print the table, and write it with the raw figures into `benchmarks/results/`."""
    options = parse()
    if options.dataset == CAMVID and not CAMVID.is_dir():
        print("the real frames are not here: give --dataset")
        return
    try:
        bundle = load_bundle(options.model)
        dataset, samples = chosen(options)
    except StylizeError as error:
        sys.exit(f"error: {error}")
    rows = measure(bundle, dataset, samples)
    which = [f"{name} {getattr(options, name)}" for name in ("split", "holdout", "limit") if getattr(options, name)]
    setting = {
        "model": Path(options.model).stem,
        "sha256": bundle.sha256,
        "dataset": Path(dataset.storage.url).name,
        "pictures": ", ".join(which) or "all",
        "size": f"{bundle.height}x{bundle.width}",
    }
    print(table(rows))
    options.out.mkdir(parents=True, exist_ok=True)
    text = "\n".join(
        ["# Reconstruction", "", *(f"- {name}: {value}" for name, value in setting.items()), "", table(rows)]
    )
    (options.out / f"{options.name}.json").write_text(json.dumps({"setting": setting, "rows": rows}, indent=2) + "\n")
    (options.out / f"{options.name}.md").write_text(text + "\n")


if __name__ == "__main__":
    main()
