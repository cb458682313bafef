"""Compare a generator that is trained first and then frozen with one that is tuned together with its encoder.

Three small models (48x64) of one shape, trained on the same real frames:

- *first, then frozen*: a StyleGAN2 is trained (`train-generator`), then its encoder (`train-encoder --generator`);
- *tuned with the encoder*: both from scratch (`train-encoder --new-generator --tune-generator`), for as many processor
  seconds as the other took in all;
- *first, then tuned*: the generator of the first, tuned along with its encoder for as long as the frozen one's took.

How many images a stage sees follows from its budget and from its speed, which is tried for some steps of each before
anything else; evaluations do not count. Then frames of a drive that none has seen are reconstructed, and recoloured at
their own size after dusk frames, which belong to the training pictures of all; and rendered day scenes are brought
towards exemplars in five conditions, where the truth is known. A second call goes on where the first was stopped.

    python benchmarks/frozen_generator.py runs --generator-seconds 480 --encoder-seconds 180
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import ablation
import frozen_judging as judging
import torch
from generator import table

from pipelines.training import train_encoder, train_generator
from stylize import load_bundle
from stylize.images import encode
from stylize.training import config as encoder_recipes
from stylize.training import generator_config as generator_recipes
from stylize.training import loop
from stylize.training.events import TrainingEvent
from stylize.training.inputs import Inputs, find_inputs

RESULTS = Path(__file__).parent / "results"
CAMVID = Path(__file__).parents[1].parent / "shared" / "data" / "camvid"
HOLDOUT = "*0006R0*"
SIZE = (48, 64)
EVALUATIONS = 4  # per training
FRECHET_PICTURES = 300  # of a generator, of those it is trained on
TRIAL_STEPS = 60
ARMS = ("first, then frozen", "tuned with the encoder", "first, then tuned")
FOLDERS = {"generator": "generator", **{arm: arm.replace(", ", "-").replace(" ", "-") for arm in ARMS}}


class Stopwatch:
    """Counts the processor seconds of a training's steps, by the number of images after them.

    Steps that a stopped run took after its last checkpoint are taken again, and counted once.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.spent: dict[str, float] = json.loads(path.read_text()) if path.exists() else {}
        self._last = time.process_time()

    def __call__(self, event: TrainingEvent) -> None:
        """Take note of an event; a message ends something other than steps."""
        now = time.process_time()
        if event.message:
            print(f"{time.strftime('%H:%M:%S')} {self.path.parent.name}: {event.message}", flush=True)
        else:
            self.spent[str(event.images)] = now - self._last
            self.path.write_text(json.dumps(self.spent) + "\n")
        self._last = now

    @property
    def seconds(self) -> float:
        """The processor seconds of all steps."""
        return sum(self.spent.values())

    @property
    def rate(self) -> float:
        """Images per processor second, without the first steps where there are others: they warm up."""
        (first, seconds), *others = ((int(images), seconds) for images, seconds in self.spent.items())
        return (others[-1][0] - first) / sum(s for _, s in others) if others else first / seconds


@dataclass(frozen=True, kw_only=True)
class Study:
    """The trainings, their data and their folder."""

    work: Path
    dataset: Path
    holdout: str
    seed: int

    @cached_property
    def inputs(self) -> Inputs:
        """The frames to train on and those kept apart."""
        return find_inputs(str(self.dataset), holdout=self.holdout)

    def frames(self) -> Path:
        """Return a folder with links to the frames to train on, for `train_generator`, which keeps none apart."""
        folder = self.work / "frames"
        folder.mkdir(parents=True, exist_ok=True)
        for sample in self.inputs.train:
            link = folder / Path(sample.image).name
            if not link.is_symlink():
                link.symlink_to((self.dataset / sample.image).resolve())
        return folder

    def weights(self, stage: str) -> Path:
        """Return the file that a stage makes."""
        return self.work / FOLDERS[stage] / f"{'generator' if stage == 'generator' else 'bundle'}.safetensors"

    def train(self, stage: str, images: int, out: Path, generator: Path | None = None) -> dict[str, Any]:
        """Run a stage to its end, or on from where it was stopped; return its figures."""
        out.mkdir(parents=True, exist_ok=True)
        watch = Stopwatch(out / "seconds.json")
        shape = generator_recipes.generator_for(SIZE)
        shared = {"picture_cache": self.work / "pictures", "checkpoint_minutes": 1.0, "on_event": watch}
        found: dict[str, Any] = {"images": images}
        if stage == "generator":
            recipe = generator_recipes.LIGHT.with_(
                generator=shape, images=images, seed=self.seed, frechet_pictures=FRECHET_PICTURES
            )
            found["frechet"] = train_generator(str(self.frames()), str(out), training=recipe, **shared).distance
        else:
            start = {"new_generator": shape} if generator is None else {"generator": str(generator)}
            train_encoder(
                str(self.dataset),
                str(out),
                training=encoder_recipes.LIGHT.with_(images=images, seed=self.seed),
                tune_generator=stage != ARMS[0],
                holdout=self.holdout,
                **start,
                **shared,
            )
        return found | {"seconds": round(watch.seconds, 1), "images_per_second": round(watch.rate, 2)}

    def plan(self, budgets: Mapping[str, float]) -> dict[str, int]:
        """Return how many images fit into the processor seconds of each stage, from trials one after the other."""
        trials = self.work / "trials"
        images = {}
        for stage, seconds in budgets.items():
            batch = generator_recipes.LIGHT.batch if stage == "generator" else encoder_recipes.LIGHT.batch
            start = trials / FOLDERS["generator"] / "generator.safetensors" if stage in (ARMS[0], ARMS[2]) else None
            rate = self.train(stage, TRIAL_STEPS * batch, trials / FOLDERS[stage], start)["images_per_second"]
            images[stage] = max(round(seconds * rate / 16), 1) * 16  # whole batches of either recipe
        return images

    def finish(self, stage: str, images: int) -> dict[str, Any]:
        """Train a stage; the figures of an earlier call count."""
        folder = self.work / FOLDERS[stage]
        start = self.weights("generator") if stage in (ARMS[0], ARMS[2]) else None
        return stored(folder / "figures.json", lambda: self.train(stage, images, folder, start))


def stored(path: Path, make: Callable[[], Any]) -> Any:
    """Return what a JSON file holds; make and write it if it is not there."""
    if not path.exists():
        made = make()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(made, indent=2) + "\n")
    return json.loads(path.read_text())


def report(results: Mapping[str, Any]) -> str:
    """Return the tables in Markdown."""
    text = str(__doc__).split("\n\n    python", 1)[0].split("\n\n", 1)[1]
    stages, figures = results["stages"], results["figures"]
    lines = ["# A generator trained first, or together with its encoder", "", text, "", results["machine"], ""]
    rows = [
        [name, f"{stage['images']:,}", f"{stage['seconds']:.0f}", f"{stage['images_per_second']:.1f}"]
        for name, stage in stages.items()
    ]
    lines += ["## Compute", "", *table(["stage", "images", "processor seconds", "images a second"], rows)]
    distance = f"{stages['generator']['frechet']:.4g}"
    lines += [f"The generator's Frechet distance from its frames, on EfficientNet-Lite0 features, is {distance}."]
    lines += ["", "## Results", "", *table(["", *figures], [list(row) for row in _rows(figures)])]
    return "\n".join(lines)


def _rows(figures: Mapping[str, Mapping[str, float]]) -> list[list[str]]:
    spelled: dict[str, Callable[[Mapping[str, float]], str]] = {
        "reconstruction of the drive kept out, PSNR": lambda f: f"{f['held-out PSNR']:.2f} dB",
        "the same, perceptual distance (EfficientNet-Lite0)": lambda f: f"{f['held-out perceptual distance']:.3f}",
        "after dusk exemplars: way gone in colours": lambda f: f"{f['colour reached']:.0%}",
        "the same, in features": lambda f: f"{f['features reached']:.0%}",
        "the same, structure kept": lambda f: f"{f['structure']:.2f}",
        "rendered scenes: gain towards the truth": lambda f: f"{f['gain']:+.2f} ± {f['gain error']:.2f} dB",
        "the same, low frequencies": lambda f: f"{f['low gain']:+.2f} dB",
        "the same, pairs closer to the truth than before": lambda f: f"{f['closer to the truth']:.0%}",
        "the same, plain synthesis against the truth": lambda f: f"{f['synthesis PSNR']:.2f} dB",
    }
    return [[name, *(spell(row) for row in figures.values())] for name, spell in spelled.items()]


def main() -> None:
    """Train what is missing, judge, and write tables, JSON and the sheet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path, help="folder for the trainings and the sheet")
    parser.add_argument("--dataset", type=Path, default=CAMVID)
    parser.add_argument("--holdout", default=HOLDOUT, help="ids of the pictures kept apart")
    parser.add_argument("--generator-seconds", type=float, default=480, help="processor seconds")
    parser.add_argument("--encoder-seconds", type=float, default=180)
    parser.add_argument("--scenes", type=int, default=4, help="rendered scenes to judge by, each in five conditions")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS / "frozen_generator", help="path without suffix")
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.work.mkdir(parents=True, exist_ok=True)
    loop.EVALUATIONS = EVALUATIONS
    study = Study(work=options.work, dataset=options.dataset, holdout=options.holdout, seed=options.seed)
    budgets = {
        "generator": options.generator_seconds,
        ARMS[0]: options.encoder_seconds,
        ARMS[1]: options.generator_seconds + options.encoder_seconds,
        ARMS[2]: options.encoder_seconds,
    }
    plan = stored(options.work / "plan.json", partial(study.plan, budgets))
    stages = {stage: study.finish(stage, images) for stage, images in plan.items()}
    bundles = {arm: load_bundle(str(study.weights(arm)), device="cpu") for arm in ARMS}
    pictures = judging.load(study.inputs)
    pairs = ablation.stored_pairs(study.work, options.scenes)
    results = {
        "machine": f"torch {torch.__version__}, 1 thread, seed {options.seed}",
        "budgets": budgets,
        "stages": stages,
        "figures": {arm: judging.judge(bundle, pictures, pairs) for arm, bundle in bundles.items()},
        "heldout": len(pictures.heldout),
        "contents": len(pictures.contents),
        "pairs": len(pairs),
    }
    (options.work / "sheet.png").write_bytes(encode(judging.sheet(bundles, pictures), "png"))
    options.out.with_suffix(".json").write_text(json.dumps(results, indent=2) + "\n")
    options.out.with_suffix(".md").write_text(report(results) + "\n")
    print(report(results))


if __name__ == "__main__":
    main()
