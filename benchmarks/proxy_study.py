"""Ask whether stylized validation sets rank models as the real targets do, and better than the source's validation set.

The models are those that domain_generalization.py has trained in WORK on the rendered streets: its arms and seeds. One
proxy set per unseen condition is built from the source's validation pictures and a few unlabelled exemplars of other
streets; the truth are the labelled streets in that condition. Every model predicts every set.

    python benchmarks/proxy_study.py WORK --json proxy.json
    python benchmarks/proxy_study.py WORK --exemplars 1 --grain 0
    python benchmarks/proxy_study.py WORK --later 100000 --every 2     # streets that nothing was ever chosen on
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
    """How proxy sets are made: unlabelled exemplars per target, and how much of their weather comes along."""

    exemplars: int
    grain: float
    haze: float
    cover: float
    blur: float

    @property
    def name(self) -> str:
        """The folder of the proxy sets."""
        shares = (("g", self.grain), ("h", self.haze), ("c", self.cover), ("b", self.blur))
        return "-".join([str(self.exemplars), *(f"{letter}{share:g}" for letter, share in shares if share)])

    def set(self, target: str) -> str:
        """Return the name of one proxy set."""
        return f"proxy-{target}-{self.name}"


@dataclass(frozen=True, kw_only=True)
class Streets:
    """The streets of a study: those of the experiment in `work`, or `later` ones, which no model and no choice met."""

    work: Path
    later: int

    @property
    def place(self) -> Path:
        """Where all that belongs to these streets is kept."""
        return self.work / "later" / str(self.later) if self.later else self.work

    def world(self) -> World:
        """Render what is not there yet."""
        return worlds.unused(self.work, self.later) if self.later else worlds.streets(self.work)

    def counts(self, model: str, name: str) -> Path:
        """Return where a model's errors on a set are kept."""
        return self.place / ("counts" if self.later else "models") / model / f"{name}.npy"


def build(world: World, place: Path, kind: Kind, later: int) -> dict[str, Frames]:
    """Build the proxy sets, one per unseen condition, and load them."""
    cache = place / "caches" / "val"
    stylize.invert(world.source, cache, model=world.model, split=world.val)
    styles = {}
    for name, folder in worlds.targets(place, kind.exemplars, later).items():
        styles[name] = place / "caches" / f"target-{name}-{kind.exemplars}"
        stylize.invert(folder, styles[name], model=world.model, layout="folder")
    out = place / "proxies" / kind.name
    stylize.proxy_build(cache, out, styles=styles, grain=kind.grain, haze=kind.haze, cover=kind.cover, blur=kind.blur)
    return {kind.set(name): load_frames(out / name, world.height) for name in styles}


def measure(streets: Streets, models: Sequence[str], sets: Mapping[str, Frames], classes: int) -> None:
    """Count the errors of each model on each set, unless that is done already."""
    for model in models:
        missing = {name: frames for name, frames in sets.items() if not streets.counts(model, name).exists()}
        if not missing:
            continue
        print(model, flush=True)
        network = load_network(streets.work / "models" / model / NETWORK, classes)
        for name, frames in missing.items():
            counts = np.stack([matrix.counts for matrix in confusions(network, classes, frames)])
            streets.counts(model, name).parent.mkdir(parents=True, exist_ok=True)
            np.save(streets.counts(model, name), counts)


def scores(streets: Streets, models: Sequence[str], name: str, contents: str) -> Scores:
    """Return the models' scores on one set; only sets of the same `contents` share their resamples."""
    counts_MNCP: Counts = np.stack([np.load(streets.counts(model, name)) for model in models])
    return score(models, counts_MNCP, [f"{contents}{index:05d}" for index in range(counts_MNCP.shape[1])])


def study(streets: Streets, models: Sequence[str], kind: Kind) -> dict[str, Any]:
    """Return the agreement of both judges with the truth, per target and over all of them."""
    val = scores(streets, models, "val", "val")
    proxies = {name: scores(streets, models, kind.set(name), "val") for name in UNSEEN}
    truths = {name: scores(streets, models, name, "test") for name in UNSEEN}
    proxies["all"], truths["all"] = average(list(proxies.values())), average(list(truths.values()))
    return {
        "models": list(models),
        "exemplars per target": kind.exemplars,
        "grain": kind.grain,
        "haze": kind.haze,
        "cover": kind.cover,
        "blur": kind.blur,
        "later": streets.later,
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
    asked = ", ".join(f"{name} {figures[name]:g}" for name in ("grain", "haze", "cover", "blur"))
    later = f" Streets with numbers {figures['later']} later than those of the experiment." if figures["later"] else ""
    lines = [
        f"{count} models; {exemplars} unlabelled exemplar(s) per target, {asked}.{later}",
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
    parser.add_argument("--haze", type=float, default=1.0, help="share of the exemplars' haze in them")
    parser.add_argument("--cover", type=float, default=1.0, help="share of what covers their sky and ground")
    parser.add_argument("--blur", type=float, default=1.0, help="share of their blur")
    parser.add_argument("--later", type=int, default=0, help="take streets whose numbers are so much later")
    parser.add_argument("--every", type=int, default=1, help="take every so manyth model only")
    parser.add_argument("--json", type=Path, help="write the figures here, table and plot beside them as .md and .png")
    options = parser.parse_args()
    needed = ("val.npy", *(f"{name}.npy" for name in UNSEEN))
    folders = sorted((options.work / "models").glob("*"))
    models = [folder.name for folder in folders if all((folder / file).exists() for file in needed)][:: options.every]
    if len(models) < 2:
        parser.error(f"no models in {options.work}: run domain_generalization.py streets {options.work} first")
    kind = Kind(
        exemplars=options.exemplars,
        grain=options.grain,
        haze=options.haze,
        cover=options.cover,
        blur=options.blur,
    )
    streets = Streets(work=options.work, later=options.later)
    world = streets.world()
    sets = build(world, streets.place, kind, options.later)
    if options.later:
        sets["val"] = load_frames(world.source, world.height, split=world.val)
        sets |= {name: load_frames(path, world.height) for name, path in world.tests.items()}
    measure(streets, models, sets, len(classes_of(world.source)))
    figures = study(streets, models, kind)
    print(markdown(figures))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
        options.json.with_suffix(".md").write_text(markdown(figures))
        plot(figures, options.json.with_suffix(".png"))


if __name__ == "__main__":
    main()
