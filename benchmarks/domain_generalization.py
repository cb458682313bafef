"""Train the same small segmentation network on the source and on stylized copies, and test it on domains it never saw.

Arms differ in their copies, their augmentation and in whether each picture is standardised; all else is the same.
Everything is kept in WORK, and a second call goes on where the first one stopped; several calls may share one WORK when
each has arms of its own.

    python benchmarks/domain_generalization.py streets WORK
    python benchmarks/domain_generalization.py drives WORK
    python benchmarks/domain_generalization.py camvid WORK --arms main --test dusk=LABELLED
    python benchmarks/domain_generalization.py camvid WORK --test 'fog=ACDC,,rgb_anon/fog/val/*'
    python benchmarks/domain_generalization.py abroad WORK

`streets` renders labelled streets by daylight and tests in dusk, night, fog, rain and snow. `drives` trains on one day
drive of CamVid in --data and tests on another, overexposed one; `drives-back` the other way round. `camvid` trains on
the frames in --data; `abroad` takes the same networks, trains those that WORK lacks, and tests on the five conditions
of the rendered streets. Labelled targets come with --test NAME=DATASET[,LABELS[,IDS]]. LABELS names their label set
(camvid11, cityscapes19, cityscapes34, or a JSON file of ids) where neither label files by their names nor a
classes.json do; IDS is a pattern for the frames to take. Where a target has no labels, --proxies dusk tests on
validation pictures recoloured after its exemplars by every method, or those of --by; an arm's own method is at home on
its own.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from segmentation import worlds
from segmentation.arms import ADDED, METHODS, RELIT, Arm, all_arms, arm_of, main_arms, path_of
from segmentation.frames import Frames, classes_of, load_frames, load_target
from segmentation.network import NETWORK, load_network
from segmentation.training import Recipe, confusions, train
from segmentation.worlds import World

import stylize
from pipelines.mixoptions import WEATHER
from stylize.errors import StylizeError
from stylize.segmentation import iou, mean_iou

HERE = Path(__file__).resolve().parent
ARM = "arm.json"
ONCE = "once"  # instead of scales
MAIN = "main"  # instead of names of arms
BY = " by "  # between the target and the method in the name of a proxy set
JUDGES = ("stylization", *METHODS)
DATA = HERE.parent.parent / "shared" / "data"


def prepare(world: World, arms: Iterable[Arm], work: Path) -> None:
    """Invert the source and the exemplars, and write the copies of each arm."""
    arms = [arm for arm in arms if arm.method]
    if not arms:
        return
    caches = {None: work / "caches" / "source"}
    with _alone(work):
        stylize.invert(world.source, caches[None], model=world.model, split=world.train)
        for name in {arm.exemplars for arm in arms if arm.exemplars}:
            caches[name] = work / "caches" / name
            pictures = _relit(world, work) if name == RELIT else world.exemplars[name]
            stylize.invert(pictures, caches[name], model=world.model, layout="folder")
    for arm in arms:
        print(f"{arm.name}: {arm.mix}", flush=True)
        with _alone(work, f"{arm.mix}.lock"):  # arms that differ in training alone share it
            stylize.mix(
                caches[None],
                path_of(work, arm),
                styles=caches[arm.exemplars] if arm.exemplars else None,
                per_image=arm.copies,
                method=arm.method,
                strength=arm.strength,
                **{name: getattr(arm, name) for name in WEATHER},
            )


def _alone(work: Path, name: str = "lock") -> FileLock:
    """Let one call at a time make what several that share WORK have in common; the others wait, and find it made."""
    work.mkdir(parents=True, exist_ok=True)
    return FileLock(work / name)


def _relit(world: World, work: Path) -> Path:
    """Return the pictures of the source in random light and weather."""
    return Path(stylize.relight(world.source, work / RELIT, split=world.train).url)


def proxies(world: World, target: str, work: Path, judges: Sequence[str] = JUDGES) -> dict[str, Path]:
    """Build stand-ins for a target without labels: the validation pictures after its exemplars, by these methods."""
    val, styles = work / "caches" / world.val, work / "caches" / target
    built = {f"{target}{BY}{method}": work / "proxies" / method / target for method in judges}
    with _alone(work):
        stylize.invert(world.source, val, model=world.model, split=world.val)
        stylize.invert(world.exemplars[target], styles, model=world.model, layout="folder")
        for method, path in zip(judges, built.values(), strict=True):
            stylize.proxy_build(val, path.parent, styles={target: styles}, method=method)
    return built


def measure(world: World, arm: Arm, seed: int, recipe: Recipe, work: Path, tests: Mapping[str, Frames]) -> None:
    """Train one network and count its errors on each test, unless that is done already."""
    folder = folder_of(work, arm, seed)
    record = _plain({**asdict(arm), "seed": seed, **asdict(recipe), "height": world.height})
    _check_same(folder, record)
    missing = {name: frames for name, frames in tests.items() if not (folder / f"{name}.npy").exists()}
    if not missing:
        return
    classes = len(classes_of(world.source))
    if not _trained(work, arm, seed):
        print(f"{arm.name}, seed {seed}", flush=True)
        source = load_frames(world.source, world.height, split=world.train)
        copies = load_frames(path_of(work, arm), world.height) if arm.method else None
        how = {"augmentation": arm.augmentation, "standardised": arm.standardised, "recipe": recipe, "seed": seed}
        network = train(classes, source, copies, **how, tell=_tell)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ARM).write_text(json.dumps(record, indent=2) + "\n")
        torch.save(network.state_dict(), folder / f"{NETWORK}.partial")
        (folder / f"{NETWORK}.partial").rename(folder / NETWORK)
    network = load_network(folder / NETWORK, classes)
    for name, frames in missing.items():
        counts = np.stack([matrix.counts for matrix in confusions(network, classes, frames, recipe.scales)])
        np.save(folder / f"{name}.npy", counts)


def _check_same(folder: Path, record: Mapping[str, Any]) -> None:
    """Stop rather than call a network what it is not: another number of steps, another share of copies."""
    if not (folder / NETWORK).exists():
        return
    defaults = _plain({**asdict(Arm(name="")), **asdict(Recipe())})  # of what came later than the network
    earlier = {**defaults, **json.loads((folder / ARM).read_text())}
    differing = [name for name in record if name in earlier and earlier[name] != record[name]]
    if differing:
        name = differing[0]
        raise SystemExit(
            f"{folder} was trained or measured with {name} {earlier[name]}, not {record[name]}: take another WORK"
        )


def _plain(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record as it is read again."""
    plain: dict[str, Any] = json.loads(json.dumps(record))
    return plain


def folder_of(work: Path, arm: Arm, seed: int) -> Path:
    """Return where a network and its confusion matrices are kept."""
    return work / "models" / f"{arm.name}-{seed}"


def kept(work: Path) -> dict[str, Arm]:
    """Return the arms that networks in WORK were trained with, by name, from earlier calls too."""
    records = [json.loads(path.read_text()) for path in sorted(work.glob(f"models/*/{ARM}"))]
    named = {field.name for field in fields(Arm)}
    return {one["name"]: Arm(**{name: value for name, value in one.items() if name in named}) for one in records}


def _trained(work: Path, arm: Arm, seed: int) -> bool:
    return (folder_of(work, arm, seed) / NETWORK).exists()


def _tell(line: str) -> None:
    print(f"  {line}", flush=True)


def table(
    world: World, arms: Iterable[Arm], seeds: Sequence[int], recipe: Recipe, work: Path, tests: Iterable[str]
) -> dict[str, Any]:
    """Return the figures of all arms with those seeds that are measured: mean IoU in percent per seed, IoU by class."""
    names = classes_of(world.source).classes
    found = []
    for arm in arms:
        folders = {seed: folder_of(work, arm, seed) for seed in seeds}
        measured = [seed for seed in seeds if _measured(folders[seed], tests)]
        if not measured:
            continue
        runs = [{name: np.load(folders[seed] / f"{name}.npy") for name in tests} for seed in measured]
        totals = [{name: counts.sum(0) for name, counts in run.items()} for run in runs]
        scores = {name: [round(100 * float(mean_iou(run[name])), 2) for run in totals] for name in totals[0]}
        unseen = [name for name in scores if name != "val" and BY not in name]
        if unseen:
            scores["unseen"] = [
                round(float(np.mean(each)), 2) for each in zip(*(scores[n] for n in unseen), strict=True)
            ]
        classes = {name: _by_class(names, [run[name] for run in totals]) for name in tests}
        found.append({"arm": arm.name, "trained on": arm.describe, "seeds": measured, "mIoU": scores, "IoU": classes})
    return {"source": str(world.source.name), "recipe": asdict(recipe), "arms": found}


def _measured(folder: Path, tests: Iterable[str]) -> bool:
    return all((folder / f"{name}.npy").exists() for name in tests)


def _by_class(names: Sequence[str], totals: Sequence[np.ndarray]) -> dict[str, float | None]:
    """Return the IoU of each class in percent, mean over the seeds; None where the test has none of it."""
    present = totals[0].sum(axis=1) > 0
    means = np.nan_to_num(np.stack([100 * iou(total) for total in totals])).mean(axis=0)
    return {n: round(float(m), 1) if p else None for n, m, p in zip(names, means, present, strict=True)}


def markdown(figures: Mapping[str, Any]) -> str:
    """Return the figures as two tables: mean IoU per test, and IoU per class over the unseen domains."""
    arms = figures["arms"]
    tests = list(arms[0]["mIoU"])
    lines = [f"| arm | trained on | seeds | {' | '.join(tests)} |", "|---|---|---|" + "---|" * len(tests)]
    for arm in arms:
        cells = [_spread(arm["mIoU"][name]) for name in tests]
        seeds = ", ".join(map(str, arm["seeds"]))
        lines.append(f"| {arm['arm']} | {arm['trained on']} | {seeds} | {' | '.join(cells)} |")
    others = [name for name in arms[0]["IoU"] if name != "val"]
    unseen = [name for name in others if BY not in name] or others or ["val"]
    classes = list(arms[0]["IoU"]["val"])
    lines += ["", f"IoU per class, mean over {', '.join(unseen)}:", ""]
    lines += [f"| arm | {' | '.join(classes)} |", "|---|" + "---|" * len(classes)]
    for arm in arms:
        lines.append(f"| {arm['arm']} | " + " | ".join(_mean(arm["IoU"], unseen, label) for label in classes) + " |")
    return "\n".join(lines) + "\n"


def _mean(by_test: Mapping[str, Mapping[str, float | None]], tests: Sequence[str], label: str) -> str:
    values = [value for value in (by_test[name][label] for name in tests) if value is not None]
    return f"{np.mean(values):.1f}" if values else "none"


def _spread(scores: Sequence[float]) -> str:
    if len(scores) == 1:
        return f"{scores[0]:.1f}"
    return f"{np.mean(scores):.1f} ± {np.std(scores, ddof=1):.1f}"


def _targets(world: World, given: Sequence[str]) -> dict[str, Frames]:
    """Load the labelled targets that --test names."""
    targets, classes = {}, classes_of(world.source)
    for text in given:
        name, equals, place = text.partition("=")
        if not name or not equals or not place:
            raise SystemExit(f"error: --test {text} is not NAME=DATASET[,LABELS[,IDS]]")
        path, labels, ids = (*place.split(",", 2), "", "")[:3]
        try:
            targets[name] = load_target(path, world.height, classes, labels=labels, ids=ids or "*")
        except StylizeError as error:
            raise SystemExit(f"error: --test {text}: {error}") from None
    return targets


def _tests(world: World, targets: Mapping[str, Frames], proxies: Mapping[str, Path]) -> dict[str, Frames]:
    """Load what networks are measured on: the source's validation split, every labelled target and proxy set."""
    tests = {"val": load_frames(world.source, world.height, split=world.val)}
    for name, path in (*world.tests.items(), *proxies.items()):
        tests[name] = load_frames(path, world.height)
    return tests | dict(targets)


def _world(options: argparse.Namespace) -> World:
    """Return what the experiment runs on, rendered or copied into WORK where it has to be."""
    work, data = options.work, options.data
    makers = {
        "streets": lambda: worlds.streets(work),
        "camvid": lambda: worlds.camvid(work, data),
        "abroad": lambda: worlds.abroad(work, data),
        "drives": lambda: worlds.drives(work, data),
        "drives-back": lambda: worlds.drives(work, data, worlds.OVEREXPOSED, worlds.NORMAL),
    }
    world = makers[options.world]()
    return replace(world, height=options.height or world.height, model=options.model or world.model)


def _named(names: Iterable[str], exemplars: Collection[str]) -> dict[str, Arm]:
    """Return the arms of these names, of which `MAIN` stands for several; raises ValueError for one there is not."""
    arms: dict[str, Arm] = {}
    for name in names:
        arms |= main_arms(exemplars) if name == MAIN else {name: arm_of(name, exemplars)}
    return arms


def _scales(text: str) -> tuple[float, ...]:
    try:
        scales = () if text == ONCE else tuple(map(float, text.split(",")))
    except ValueError:
        scales = (0.0,)
    if any(not 0.1 <= scale <= 4 for scale in scales):
        raise argparse.ArgumentTypeError(f"{text} is neither {ONCE} nor sizes from 0.1 to 4, as 0.7,1.2")
    return scales


def main() -> None:
    """Parse, prepare, train, measure and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("world", choices=("streets", "drives", "drives-back", "camvid", "abroad"))
    parser.add_argument("work", type=Path)
    parser.add_argument("--data", type=Path, default=DATA, help="folder with camvid/ and exemplars/")
    parser.add_argument(
        "--test", action="append", default=[], metavar="NAME=DATASET[,LABELS[,IDS]]", help="a labelled target"
    )
    parser.add_argument(
        "--proxies", metavar="EXEMPLARS", help="for want of labels, test on validation pictures after these exemplars"
    )
    parser.add_argument(
        "--by", default=",".join(JUDGES), help="methods of --proxies, separated by commas; all by default"
    )
    parser.add_argument(
        "--arms",
        help=f"names, separated by commas; all by default, which take many hours; {MAIN}: those that tell most",
    )
    parser.add_argument("--seeds", default="0,1,2", help="numbers, separated by commas")
    parser.add_argument("--steps", type=int, help="of training")
    parser.add_argument("--probability", type=float, help="share of copies in training")
    parser.add_argument(
        "--scales",
        type=_scales,
        help=f"sizes at which pictures are seen when measured, as 0.7,1.2, or {ONCE}: as they are",
    )
    parser.add_argument("--model", help="bundle that stylizes; the world's own by default")
    parser.add_argument("--height", type=int, help="of pictures while training, a multiple of 16")
    parser.add_argument("--list", action="store_true", help="say which arms there are, and stop")
    parser.add_argument("--json", type=Path, help="write the figures here, and the tables beside them as .md")
    options = parser.parse_args()
    judges = options.by.split(",")
    if unknown := set(judges).difference(JUDGES):
        parser.error(f"--by: there is no {', '.join(sorted(unknown))}, only {', '.join(JUDGES)}")
    with _alone(options.work):
        world = _world(options)
    arms = all_arms(world.exemplars)
    if options.list:
        print("\n".join(f"{arm.name:40} {arm.describe}" for arm in arms.values()))
        print(f"and any of them with + and one or more of {', '.join(ADDED)}")
        return
    if options.arms:
        try:
            arms = _named(options.arms.split(","), world.exemplars)
        except ValueError as error:
            parser.error(f"--arms: {error}")
    chosen = list(arms.values())
    recipe = replace(
        world.recipe, **{n: v for n in ("steps", "probability", "scales") if (v := getattr(options, n)) is not None}
    )
    seeds = [int(seed) for seed in options.seeds.split(",")]
    untrained = [arm for arm in chosen if any(not _trained(options.work, arm, seed) for seed in seeds)]
    targets = _targets(world, options.test)  # before the long work, which a wrong path would be found after
    prepare(world, untrained, options.work)
    stand_ins = proxies(world, options.proxies, options.work, judges) if options.proxies else {}
    tests = _tests(world, targets, stand_ins)
    for seed in seeds:
        for arm in chosen:
            measure(world, arm, seed, recipe, options.work, tests)
    figures = table(world, {**arms, **kept(options.work)}.values(), seeds, recipe, options.work, list(tests))
    print(markdown(figures))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
        options.json.with_suffix(".md").write_text(markdown(figures))


if __name__ == "__main__":
    main()
