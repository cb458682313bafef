"""Ablate the masked noise encoder: scale of the noise maps, mask ratio, replacement, and the layers whose codes move.

Small models (48x64) of one recipe, one number of pictures and the same seeds differ in one setting each. Two figures
belong together: how well a model reconstructs pictures kept out of training, and how far a day scene in an exemplar's
style comes towards its true render in the exemplar's condition; the plot shows one against the other. The recipe is
the paper's in small, without our additions; `light` is the preset with them (normalised maps, re-lighting, swapped
codes), so that it shows what is left for the mask to do. A patch of the mask covers the same 16x16 pixels of the
picture at every scale.

Which layers' codes move is decided at inference, so this is measured on the `paper-...` models and on `streets`.

    python benchmarks/ablation.py runs --jobs 2                 # trains what is missing, then judges, writes, draws
    python benchmarks/ablation.py runs --train-nothing          # table and plot of what is there
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ablation_report
import masking
import numpy as np
import style_transfer
import torch

from pipelines.training import train_encoder
from stylize import load_bundle, scenes
from stylize.errors import FatalError
from stylize.images import to_model
from stylize.metrics import psnr, ssim
from stylize.models.bundle import Bundle
from stylize.render import blend_codes, recolour, render_clipped
from stylize.training import loop
from stylize.training.config import LIGHT, EncoderTraining
from stylize.training.events import TrainingEvent
from stylize.truth import Comparison, compare, judge

RESULTS = Path(__file__).parent / "results"
SOURCE = (240, 320)
BATCH = 4
PATCH = 16  # side of a masked patch, in pixels of the picture
EVALUATIONS = 4  # per training; each costs as much as tens of training images
PICTURES = ("content_HWC", "exemplar_HWC", "truth_HWC")
HOLDOUT = "*scene0109[5-9]*"
RECIPES = {"paper": masking.RECIPE, "light": LIGHT}
GROUPS = {"none": "", "coarse": "0-2", "middle": "3-6", "fine": "7-", "coarse and middle": "0-6",
          "middle and fine": "3-", "all": "0-"}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A model to train: `scale` is the noise maps' share of the picture, 1/scale."""

    recipe: str = "paper"
    scale: int = 4
    ratio: float = 0.25
    replacement: str = "normal"

    @property
    def name(self) -> str:
        return f"{self.recipe}-scale{self.scale}-mask{self.ratio:.0%}-{self.replacement}".replace("%", "")

    def training(self, images: int, seed: int) -> EncoderTraining:
        """Return the recipe with this variant's settings."""
        recipe = RECIPES[self.recipe]
        return recipe.with_(
            encoder=replace(recipe.encoder, noise_downscale=self.scale),
            images=images,
            batch=BATCH,
            mask_ratio=self.ratio,
            mask_patch=PATCH // self.scale,
            mask_replacement=self.replacement,
            seed=seed,
        )


BASE = Variant()
VARIANTS = (
    BASE,
    Variant(ratio=0.0),
    Variant(scale=2),
    Variant(scale=8),
    Variant(replacement="zeros"),
    Variant(ratio=0.75),
    Variant(ratio=0.5),
    Variant(recipe="light"),
    Variant(recipe="light", ratio=0.0),
    Variant(ratio=0.75, replacement="zeros"),
)


@dataclass(frozen=True, kw_only=True)
class Job:
    """One training with its judgement, in a folder of its own."""

    variant: Variant
    seed: int
    images: int
    scenes: int
    work: Path

    @property
    def run(self) -> Path:
        return self.work / f"{self.variant.name}-seed{self.seed}"

    def figures(self) -> dict[str, Any] | None:
        """Return what `finish` found, or None when it has not, or of another length or number of scenes."""
        path = self.run / "figures.json"
        if not path.exists():
            return None
        found: dict[str, Any] = json.loads(path.read_text())
        return found if (found["images"], found["scenes"]) == (self.images, self.scenes) else None

    def finish(self) -> None:
        """Train, or go on training, then judge."""
        torch.set_num_threads(1)
        loop.EVALUATIONS = EVALUATIONS
        began = time.process_time()
        summary = train_encoder(
            str(self.work / "data"),
            str(self.run),
            training=self.variant.training(self.images, self.seed),
            new_generator=replace(masking.GENERATOR, noise_downscale=self.variant.scale),
            tune_generator=True,
            holdout=HOLDOUT,
            on_event=self._say,
        )
        seconds = time.process_time() - began
        bundle = load_bundle(summary.bundle, device="cpu")
        figures = {
            "images": self.images,
            "scenes": self.scenes,
            "weights": bundle.sha256,
            "processor seconds of the last stretch": round(seconds),
            "numbers per picture": sum(int(np.prod(shape)) for shape in bundle.noise_shapes),
            "held-out PSNR": summary.heldout_psnr,
            **measure(bundle, stored_pairs(self.work, self.scenes)),
        }
        (self.run / "figures.json").write_text(json.dumps(figures, indent=2) + "\n")

    def _say(self, event: TrainingEvent) -> None:
        if event.message:
            print(f"{time.strftime('%H:%M:%S')} {self.run.name}: {event.message}", flush=True)


def measure(
    bundle: Bundle, pairs: Sequence[style_transfer.Pair], layers: Sequence[int] | None = None
) -> dict[str, float]:
    """Return how far day scenes come towards their true renders when the codes of `layers` (or all) move."""
    comparisons: list[Comparison] = []
    moved, closeness, likeness = [], [], []
    for pair in pairs:
        content, exemplar = (
            style_transfer.invert(bundle, picture_HWC) for picture_HWC in (pair.content_HWC, pair.exemplar_HWC)
        )
        base = render_clipped(bundle, content.ws_BLD, content.noise)
        styled = render_clipped(bundle, blend_codes(content.ws_BLD, exemplar.ws_BLD, 1.0, layers), content.noise)
        picture_HWC = recolour(pair.content_HWC, base[0], styled[0])
        comparisons.append(compare(pair.condition, pair.content_HWC, picture_HWC, pair.truth_HWC))
        moved.append(float(np.sqrt(np.mean((picture_HWC.astype(float) - pair.content_HWC) ** 2))))
        truth = torch.from_numpy(to_model(pair.truth_HWC, bundle.height, bundle.width))[None]
        closeness.append(float(psnr(styled, truth)))
        likeness.append(float(ssim(styled, truth)))
    return {
        **judge(comparisons).as_dict(),
        "gain error": _error([c.result - c.content for c in comparisons]),
        "low gain error": _error([c.result_low - c.content_low for c in comparisons]),
        "moved": float(np.mean(moved)),
        "synthesis PSNR": float(np.mean(closeness)),
        "synthesis SSIM": float(np.mean(likeness)),
    }


def stored_pairs(work: Path, count: int) -> list[style_transfer.Pair]:
    """Return the pairs of `count` scenes, rendered once for all models: that takes as long as half a training."""
    path = work / f"pairs{count}.npz"
    if not path.exists():
        made = list(style_transfer.make_pairs(count, *SOURCE))
        making = path.with_name(f"{os.getpid()}-{path.name}")
        np.savez(making, **{name: np.stack([getattr(pair, name) for pair in made]) for name in PICTURES})
        making.rename(path)
    stored = np.load(path)
    pictures = [stored[name] for name in PICTURES]
    conditions = style_transfer.CONDITIONS * count
    return [
        style_transfer.Pair(condition=name, **dict(zip(PICTURES, some, strict=True)))
        for name, *some in zip(conditions, *pictures, strict=True)
    ]


def _error(gains: Sequence[float]) -> float:
    """Return the standard error of a mean gain over content scenes, each of which comes in every condition."""
    by_scene = np.array(gains).reshape(-1, len(style_transfer.CONDITIONS)).mean(1)
    return float(by_scene.std(ddof=1) / np.sqrt(len(by_scene))) if len(by_scene) > 1 else 0.0


def swaps(model: str, work: Path, count: int) -> dict[str, Any]:
    """Return the figures of each group of layers of one model, measured now or by an earlier call."""
    bundle = load_bundle(model, device="cpu")
    path = work / f"swaps-{bundle.sha256[:12]}-{count}.json"
    if not path.exists():
        pairs = stored_pairs(work, count)
        groups = {name: measure(bundle, pairs, group_layers(span, bundle.num_ws)) for name, span in GROUPS.items()}
        found = {"weights": bundle.sha256, "layers": bundle.num_ws, "groups": groups}
        path.write_text(json.dumps(found, indent=2) + "\n")
    return dict(json.loads(path.read_text()))


def group_layers(span: str, num_ws: int) -> tuple[int, ...]:
    """Return the layers of a span such as `3-6`, `7-` (to the last) or nothing."""
    if not span:
        return ()
    first, last = span.split("-")
    return tuple(range(int(first), int(last or num_ws - 1) + 1))


def jobs_of(arguments: argparse.Namespace) -> Iterator[Job]:
    """Return every job, all variants of a seed before those of the next."""
    for seed in range(arguments.seeds):
        for variant in VARIANTS:
            yield Job(variant=variant, seed=seed, images=arguments.images, scenes=arguments.scenes, work=arguments.work)


def train(jobs: Sequence[Job], processes: int) -> None:
    """Render the training scenes if they are missing, then finish the jobs."""
    data = jobs[0].work / "data"
    if not data.exists():
        making = data.with_name("data.part")
        scenes.write_dataset(
            making, count=masking.SCENES, height=120, width=160, conditions=scenes.CONDITIONS, seed=masking.FIRST_SCENE
        )
        making.rename(data)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for _ in pool.imap_unordered(Job.finish, jobs, chunksize=1):
            pass


def collect(jobs: Sequence[Job]) -> list[dict[str, Any]]:
    """Return one row per variant that is there: its settings and the figures of each seed."""
    rows = []
    for variant in VARIANTS:
        found = {job.seed: job.figures() for job in jobs if job.variant == variant}
        seeds = {str(seed): figures for seed, figures in found.items() if figures}
        if seeds:
            settings = {
                "recipe": variant.recipe,
                "scale": variant.scale,
                "mask ratio": variant.ratio,
                "replacement": variant.replacement,
            }
            rows.append({**settings, "seeds": seeds})
    return rows


def collect_swaps(jobs: Sequence[Job]) -> Mapping[str, Any]:
    """Return the code swaps of the bundled model and of the first model of the paper's settings."""
    base = next((job for job in jobs if job.variant == BASE and job.figures()), None)
    models = {"streets": "streets"} | ({BASE.name: str(base.run / "bundle.safetensors")} if base else {})
    return {name: swaps(model, jobs[0].work, jobs[0].scenes) for name, model in models.items()}


def main() -> None:
    """Train what is missing, judge, and write table, plot and JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path, help="folder for the scenes and the training runs; a second call goes on")
    parser.add_argument("--images", type=int, default=2_000, help="training images per model")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--scenes", type=int, default=16, help="content scenes to judge by, each in five conditions")
    parser.add_argument("--jobs", type=int, default=1, help="models that train at a time, one thread each")
    parser.add_argument("--train-nothing", action="store_true", help="show what is there")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for ablation.json, .md and .svg")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    jobs = list(jobs_of(arguments))
    missing = [job for job in jobs if job.figures() is None]
    if missing and not arguments.train_nothing:
        train(missing, arguments.jobs)
    rows = collect(jobs)
    if not rows:
        raise FatalError(f"no finished model in {arguments.work}: leave --train-nothing out")
    report = {
        "images": arguments.images,
        "scenes": arguments.scenes,
        "source": SOURCE,
        "variants": rows,
        "missing": [job.run.name for job in jobs if job.figures() is None],
        "swaps": collect_swaps(jobs),
    }
    (arguments.out / "ablation.json").write_text(json.dumps(report, indent=2) + "\n")
    ablation_report.write(report, arguments.out)


if __name__ == "__main__":
    main()
