"""Show what masking is for: train the paper's recipe with and without it, and measure how far the style moves.

Two small models (48x64) are trained on the same procedural scenes with the paper's losses and none of our additions: no
normalised noise maps, no re-lighting, no swapped codes. They differ in the mask ratio alone. Then day scenes that
neither has seen are stylized, and compared with their true render in the exemplar's condition.

    python benchmarks/masking.py runs --images 4000 --scenes 8 --json masking.json
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import style_transfer
import torch

from pipelines.training import train_encoder
from stylize import load_bundle, scenes
from stylize.models.encoder import LIGHT as LIGHT_ENCODER
from stylize.models.generator import GeneratorConfig
from stylize.render import recolour
from stylize.training.config import LIGHT

RATIOS = (0.25, 0.0)
GENERATOR = GeneratorConfig(const_size=(3, 4), channels=(128, 128, 96, 48, 24))
RECIPE = replace(
    LIGHT,
    encoder=replace(LIGHT_ENCODER, normalize_noise=False),
    relight=False,
    swap=0.0,
    noise=0.1,
    lr=4e-4,
)
FIRST_SCENE, SCENES = 1000, 100


def main() -> None:
    """Train, judge, print and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder for the scenes and the training runs; a second call goes on")
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--scenes", type=int, default=8)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    data = arguments.out / "data"
    if not data.exists():
        scenes.write_dataset(data, count=SCENES, height=120, width=160, conditions=scenes.CONDITIONS, seed=FIRST_SCENE)
    pairs = list(style_transfer.make_pairs(arguments.scenes, *style_transfer.SOURCE))
    report = {}
    for ratio in RATIOS:
        run = arguments.out / f"mask-{ratio:g}"
        summary = train_encoder(
            str(data),
            str(run),
            training=replace(RECIPE, images=arguments.images, mask_ratio=ratio),
            new_generator=GENERATOR,
            tune_generator=True,
            holdout="*scene0109[5-9]*",
        )
        bundle = load_bundle(summary.bundle)
        results = [
            style_transfer.judge(pair, recolour(pair.content_HWC, *style_transfer.synthesise(bundle, pair)))
            for pair in pairs
        ]
        figures = style_transfer.summarise(results)
        print(f"\nmask ratio {ratio:g}: held-out reconstruction {summary.heldout_psnr:.2f} dB")
        style_transfer.show(figures)
        report[f"{ratio:g}"] = {"held-out PSNR": summary.heldout_psnr, "style transfer": figures}
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
