"""Ask whether stylized validation sets rank models as the real targets do, and better than the source's validation set.

The models are those that domain_generalization.py has trained in WORK on the rendered streets: its arms and seeds. One
proxy set per unseen condition is built from the source's validation pictures and a few unlabelled exemplars of other
streets; the truth are the labelled streets in that condition. Every model predicts every set.

    python benchmarks/proxy_study.py WORK --json proxy.json
    python benchmarks/proxy_study.py WORK --exemplars 1 --grain 0
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
from segmentation import worlds
from segmentation.frames import Frames, classes_of, load_frames
from segmentation.network import NETWORK, load_network
from segmentation.training import confusions
from segmentation.worlds import UNSEEN, World

import stylize
from stylize.agreement import agree, lead
from stylize.ranking import Scores, average, score

matplotlib.use("Agg")
from matplotlib import pyplot as plt

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """How proxy sets are made: unlabelled exemplars per target, and how much of their grain comes along."""

    exemplars: int
    grain: float

    @property
    def name(self) -> str:
        """The folder of the proxy sets."""
        return f"{self.exemplars}-g{self.grain:g}" if self.grain else str(self.exemplars)

    def file(self, target: str) -> str:
        """Return where a model's errors on one proxy set are kept."""
        return f"proxy-{target}-{self.name}.npy"


def build(world: World, work: Path, kind: Kind) -> dict[str, Frames]:
    """Build the proxy sets, one per unseen condition, and load them."""
    cache = work / "caches" / "val"
    stylize.invert(world.source, cache, model=world.model, split=world.val)
    styles = {}
    for name, folder in worlds.targets(work, kind.exemplars).items():
        styles[name] = work / "caches" / f"target-{name}-{kind.exemplars}"
        stylize.invert(folder, styles[name], model=world.model, layout="folder")
    out = work / "proxies" / kind.name
    stylize.proxy_build(cache, out, styles=styles, grain=kind.grain)
    return {name: load_frames(out / name, world.height) for name in styles}


def measure(work: Path, models: Sequence[str], sets: Mapping[str, Frames], kind: Kind, classes: int) -> None:
    """Count the errors of each model on each proxy set, unless that is done already."""
    for model in models:
        folder = work / "models" / model
        missing = {name: frames for name, frames in sets.items() if not (folder / kind.file(name)).exists()}
        if not missing:
            continue
        print(model, flush=True)
        network = load_network(folder / NETWORK, classes)
        for name, frames in missing.items():
            counts = np.stack([matrix.counts for matrix in confusions(network, classes, frames)])
            np.save(folder / kind.file(name), counts)


def scores(work: Path, models: Sequence[str], file: str, streets: str, pictures: int) -> Scores:
    """Return the models' scores on one set; only sets of the same `streets` share their resamples."""
    counts_MNCP: Counts = np.stack([np.load(work / "models" / model / file) for model in models])
    return score(models, counts_MNCP, [f"{streets}{index:05d}" for index in range(pictures)])


def study(work: Path, models: Sequence[str], pictures: Mapping[str, int], kind: Kind) -> dict[str, Any]:
    """Return the agreement of both judges with the truth, per target and over all of them."""
    val = scores(work, models, "val.npy", "val", pictures["val"])
    proxies = {name: scores(work, models, kind.file(name), "val", pictures["val"]) for name in UNSEEN}
    truths = {name: scores(work, models, f"{name}.npy", "test", pictures[name]) for name in UNSEEN}
    proxies["all"], truths["all"] = average(list(proxies.values())), average(list(truths.values()))
    return {
        "models": list(models),
        "exemplars per target": kind.exemplars,
        "grain": kind.grain,
        "targets": {
            name: {
                "proxy": asdict(agree(proxies[name], truths[name])),
                "source": asdict(agree(val, truths[name])),
                "lead": asdict(lead(proxies[name], val, truths[name])),
                "scores": {
                    model: {
                        "true": float(truths[name].mean_M[place]),
                        "proxy": float(proxies[name].mean_M[place]),
                        "source": float(val.mean_M[place]),
                    }
                    for place, model in enumerate(models)
                },
            }
            for name in proxies
        },
    }


def markdown(figures: Mapping[str, Any]) -> str:
    """Return the table: one row per target and judge."""
    count, exemplars = len(figures["models"]), figures["exemplars per target"]
    lines = [
        f"{count} models; {exemplars} unlabelled exemplar(s) per target, grain {figures['grain']:g}.",
        "In brackets: 95 % intervals over models.",
        "",
        "| target | judge | Spearman | Kendall | Pearson | regret, points of mIoU | chosen |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, target in figures["targets"].items():
        for judge in ("proxy", "source"):
            found = target[judge]
            cells = [_estimate(found[kind]) for kind in ("spearman", "kendall", "pearson")]
            cells += [f"{100 * found['regret']['value']:.1f}", found["chosen"]]
            lines.append(f"| {name} | {judge} | {' | '.join(cells)} |")
    ahead = figures["targets"]["all"]["lead"]
    lines += ["", f"Spearman of the proxies less that of the source's validation, all targets: {_estimate(ahead)}."]
    return "\n".join(lines) + "\n"


def _estimate(estimate: Mapping[str, Any]) -> str:
    low, high = estimate["models"]
    return f"{estimate['value']:.2f} ({low:.2f} to {high:.2f})"


def plot(figures: Mapping[str, Any], path: Path) -> None:
    """Draw true against judged scores: one column per target, proxies above, source validation below."""
    targets = figures["targets"]
    grid, axes = plt.subplots(2, len(targets), figsize=(2.6 * len(targets), 5.4), layout="constrained")
    for column, (name, target) in enumerate(targets.items()):
        true = [100 * each["true"] for each in target["scores"].values()]
        for row, judge in enumerate(("proxy", "source")):
            judged = [100 * each[judge] for each in target["scores"].values()]
            axis = axes[row, column]
            axis.scatter(judged, true, s=14, color=("#1f6f8b", "#b5651d")[row], alpha=0.8, linewidths=0)
            axis.set_title(f"{name}, {judge}: Spearman {target[judge]['spearman']['value']:.2f}", fontsize=9)
            axis.tick_params(labelsize=7)
            axis.grid(alpha=0.25)
        axes[1, column].set_xlabel("mIoU by the judge", fontsize=8)
    for row in range(2):
        axes[row, 0].set_ylabel("true mIoU", fontsize=8)
    grid.savefig(path, dpi=110)


def main() -> None:
    """Parse, build, predict, compare and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path, help="of domain_generalization.py streets")
    parser.add_argument("--exemplars", type=int, default=5, help="unlabelled pictures per target")
    parser.add_argument("--grain", type=float, default=1.0, help="share of the exemplars' grain in the proxy sets")
    parser.add_argument("--json", type=Path, help="write the figures here, table and plot beside them as .md and .png")
    options = parser.parse_args()
    world = worlds.streets(options.work)
    needed = ("val.npy", *(f"{name}.npy" for name in UNSEEN))
    folders = sorted((options.work / "models").glob("*"))
    models = [folder.name for folder in folders if all((folder / file).exists() for file in needed)]
    if len(models) < 2:
        parser.error(f"no models in {options.work}: run domain_generalization.py streets {options.work} first")
    kind = Kind(exemplars=options.exemplars, grain=options.grain)
    sets = build(world, options.work, kind)
    measure(options.work, models, sets, kind, len(classes_of(world.source)))
    pictures = {name: len(np.load(options.work / "models" / models[0] / f"{name}.npy")) for name in ("val", *UNSEEN)}
    figures = study(options.work, models, pictures, kind)
    print(markdown(figures))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
        options.json.with_suffix(".md").write_text(markdown(figures))
        plot(figures, options.json.with_suffix(".png"))


if __name__ == "__main__":
    main()
