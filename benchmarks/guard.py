"""Calibrate the guard of `stylize mix`: does the content score tell damaged pictures from those in another style?

Real frames are stylized with the bundled model, recoloured by global baselines and re-lit at random: all these are
genuine. The same frames are damaged in two dozen ways: with noise maps that are zeroed, shuffled or another frame's,
with codes driven far beyond the exemplar's, and by hand. What is neither is listed too and counts for nothing: true
renders of procedural scenes in weather (shadows go, snow hides the road: rightly gone, but gone); strength 2 and the
baselines `fda` and `adain`, which break some pictures and not others (black clouds, white-outs, textures of their own);
and losses of fine detail that a score of 96x128 pixels cannot see.

    python benchmarks/guard.py ../shared/data --json guard.json --markdown guard.md --sheet guard.png

The threshold is the highest that refuses at most one genuine picture in 200, rounded down to a tenth: a refusal costs
one more draw, and what stays refused is flagged and not lost.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from damage import BLIND, by_hand, relit
from numpy.typing import NDArray
from PIL import Image

from stylize import load_bundle, scenes
from stylize.guard import LEAST_SCORE, Reference
from stylize.images import Pixels, decode_label, decode_rgb, encode, from_model, to_model
from stylize.methods import load_method
from stylize.metrics import blur
from stylize.models.bundle import Bundle, Codes
from stylize.render import blend_codes, recolour, render_clipped
from stylize.reporting import fitted
from stylize.sheet import Cell, contact_sheet

GENUINE, DAMAGED, NEITHER = "genuine", "damaged", "neither"
SETS = ("camvid/dusk", "exemplars/cloudy", "exemplars/fog", "exemplars/rain", "exemplars/sunrise", "camvid/val")
GLOBAL = ("histogram", "reinhard")  # one map of colours for the whole picture
WIDTH = 480
FIRST_SCENE, SCENES = 3000, 24
THRESHOLDS = (0.3, 0.4, 0.45, 0.5, 0.55, 0.6)
REFUSED_AT_MOST = 1 / 200


@dataclass(frozen=True, kw_only=True)
class Case:
    """A source and what became of it, with the scores of all measures."""

    verdict: str
    kind: str
    scores: Mapping[str, float]
    source_HWC: Pixels
    picture_HWC: Pixels


def main() -> None:
    """Measure, print, and write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with camvid, cityscapes_sample and exemplars")
    parser.add_argument("--model", default="camvid")
    parser.add_argument("--contents", type=int, default=40)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--sheet", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cases = list(measure(arguments.data, load_bundle(arguments.model, device="cpu"), arguments.contents))
    report = summarise(cases) | {"milliseconds of processor": cost()}
    text = markdown(report)
    print(text)
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=2) + "\n")
    if arguments.markdown:
        arguments.markdown.write_text(text)
    if arguments.sheet:
        arguments.sheet.write_bytes(encode(sheet(cases), "png", compress_level=6))


def measure(data: Path, bundle: Bundle, count: int) -> Iterator[Case]:
    """Yield every case, small enough to keep them all."""
    frames = [read(path) for path in spread(data / "camvid/train", count)] + [
        read(path) for path in spread(data / "cityscapes_sample", 6)
    ]
    labels = [decode_label(path.read_bytes()) for path in spread(data / "camvid/trainannot", count)] + [None] * 6
    exemplars = {name: [read(path) for path in spread(data / name, 12)] for name in SETS}
    codes = {name: [invert(bundle, picture) for picture in pictures] for name, pictures in exemplars.items()}
    for index, (frame, label) in enumerate(zip(frames, labels, strict=True)):
        rng, scene = np.random.default_rng(index), Reference(frame)
        other = frames[(index + len(frames) // 3) % len(frames)]
        outputs = [*stylized(bundle, frame, codes, index), *damaged_maps(bundle, frame, other, codes, index)]
        for name in ("histogram", "reinhard", "fda", "adain"):
            exemplar = exemplars[SETS[index % len(SETS)]][index % 12]
            verdict = GENUINE if name in GLOBAL else NEITHER
            outputs.append((verdict, f"method {name}", None, load_method(name)(frame, exemplar)))
        outputs += [(GENUINE, "re-lit at random", None, relit(frame, rng)) for _ in range(2)]
        good = outputs[index % len(SETS)][3]
        elsewhere = next(iter(stylized(bundle, other, codes, index)))[3]
        for kind, picture in by_hand(good, elsewhere, label, rng):
            outputs.append((NEITHER if kind in BLIND else DAMAGED, kind, None, picture))
        for verdict, kind, source, picture in outputs:
            yield case(verdict, kind, frame if source is None else source, picture, scene if source is None else None)
    yield from truths()


Output = tuple[str, str, Pixels | None, Pixels]


def stylized(bundle: Bundle, frame: Pixels, codes: Mapping[str, Sequence[Codes]], index: int) -> Iterator[Output]:
    """Yield a frame in the style of an exemplar of each set, then what strengths beyond 1 make of the first two sets.

    A source is given with what is compared with another than the frame: the frame's own synthesis, at model size.
    """
    own = invert(bundle, frame)
    base_CHW = render(bundle, own.ws_BLD, own.noise)
    wanted = {name: codes[name][index % len(codes[name])].ws_BLD for name in SETS}
    for name, ws_BLD in wanted.items():
        styled_CHW = render(bundle, ws_BLD, own.noise)
        yield GENUINE, f"stylized with {name}", None, recolour(frame, base_CHW, styled_CHW)
    styled_CHW = render(bundle, wanted[SETS[index % len(SETS)]], own.noise)
    yield GENUINE, "stylized, model size", from_model(base_CHW.numpy()), from_model(styled_CHW.numpy())
    for name in ("camvid/dusk", "exemplars/fog"):
        for strength in (2.0, 4.0):
            ws_BLD = blend_codes(own.ws_BLD, wanted[name], strength)
            styled_CHW = render(bundle, ws_BLD, own.noise)
            verdict = NEITHER if strength == 2 else DAMAGED
            yield verdict, f"strength {strength:g} with {name}", None, recolour(frame, base_CHW, styled_CHW)


def damaged_maps(
    bundle: Bundle, frame: Pixels, other: Pixels, codes: Mapping[str, Sequence[Codes]], index: int
) -> Iterator[Output]:
    """Yield stylizations whose noise maps are not the frame's, recoloured and at model size."""
    own, ws_BLD = invert(bundle, frame), codes[SETS[index % len(SETS)]][index % 12].ws_BLD
    base_CHW = render(bundle, own.ws_BLD, own.noise)
    base_HWC = from_model(base_CHW.numpy())
    order = torch.randperm(own.noise[0][0, 0].numel(), generator=torch.Generator().manual_seed(index))
    maps = {
        "zeroed maps": [torch.zeros_like(noise) for noise in own.noise],
        "shuffled maps": [noise.flatten(2)[:, :, order].view_as(noise) for noise in own.noise],
        "another frame's maps": list(invert(bundle, other).noise),
    }
    for kind, noise in maps.items():
        styled_CHW = render(bundle, ws_BLD, noise)
        yield DAMAGED, kind, None, recolour(frame, base_CHW, styled_CHW)
        yield DAMAGED, f"{kind}, model size", base_HWC, from_model(styled_CHW.numpy())


def truths() -> Iterator[Case]:
    """Yield scenes by day and in every weather."""
    for number in range(FIRST_SCENE, FIRST_SCENE + SCENES):
        scene = scenes.Scene.sample(number)
        day, *others = (
            scenes.render(scene, scenes.Condition.sample(name, number), 240, 320) for name in scenes.CONDITIONS
        )
        for name, picture in zip(scenes.CONDITIONS[1:], others, strict=True):
            yield case(NEITHER, f"true render, {name}", day, picture)


def case(verdict: str, kind: str, source_HWC: Pixels, picture_HWC: Pixels, scene: Reference | None = None) -> Case:
    """Score a picture by all measures."""
    scene = scene or Reference(source_HWC)
    edges, explained = scene.agreements(picture_HWC)
    scores = {
        "content score": scene.score(picture_HWC),
        "edges alone": edges,
        "explained alone": explained,
        "structure of SSIM": structure(source_HWC, picture_HWC),
    }
    small = [np.asarray(Image.fromarray(p).resize((160, 120))) for p in (source_HWC, picture_HWC)]
    return Case(verdict=verdict, kind=kind, scores=scores, source_HWC=small[0], picture_HWC=small[1])


def structure(source_HWC: Pixels, picture_HWC: Pixels, sigma: float = 1.5) -> float:
    """Return the structure term of SSIM, the local correlation, as a plain mean over 96x128 pixels of luma."""
    weights = torch.tensor([0.299, 0.587, 0.114], dtype=torch.float64).view(3, 1, 1)
    x, y = (
        (torch.from_numpy(to_model(p, 96, 128)).double() * weights).sum(0)[None, None]
        for p in (source_HWC, picture_HWC)
    )
    mean_x, mean_y, c3 = blur(x, sigma), blur(y, sigma), 0.06**2 / 2
    var_x, var_y = ((blur(z * z, sigma) - m * m).clamp(min=0) for z, m in ((x, mean_x), (y, mean_y)))
    covariance = blur(x * y, sigma) - mean_x * mean_y
    return float(((covariance + c3) / ((var_x * var_y).sqrt() + c3)).mean())


def summarise(cases: Sequence[Case]) -> dict[str, Any]:
    """Return how well each measure separates, what thresholds do, and every kind's scores."""
    names = tuple(cases[0].scores)
    genuine, damaged = ({n: values(cases, n, verdict) for n in names} for verdict in (GENUINE, DAMAGED))
    score = "content score"
    limit = math.floor(10 * float(np.quantile(genuine[score], REFUSED_AT_MOST))) / 10
    return {
        "threshold": {"by the rule": limit, "in use": LEAST_SCORE},
        "pictures": {verdict: sum(c.verdict == verdict for c in cases) for verdict in (GENUINE, DAMAGED, NEITHER)},
        "measures": {name: separation(genuine[name], damaged[name]) for name in names},
        "thresholds": {
            f"{t:g}": {
                "genuine refused": float(np.mean(genuine[score] < t)),
                "damaged refused": float(np.mean(damaged[score] < t)),
            }
            for t in THRESHOLDS
        },
        "kinds": {kind: of_kind([c for c in cases if c.kind == kind]) for kind in dict.fromkeys(c.kind for c in cases)},
    }


def separation(genuine: NDArray[np.float64], damaged: NDArray[np.float64]) -> dict[str, float]:
    """Return the area under the ROC curve, and the share of damaged pictures below all but 1 in 200 genuine ones."""
    below = np.searchsorted(np.sort(damaged), genuine, side="left") + np.searchsorted(
        np.sort(damaged), genuine, "right"
    )
    caught = float(np.mean(damaged < np.quantile(genuine, REFUSED_AT_MOST)))
    return {"AUC": float(below.mean() / 2 / len(damaged)), "damaged caught": caught}


def of_kind(cases: Sequence[Case]) -> dict[str, Any]:
    """Return the verdict, the spread of scores, and the share refused of one kind."""
    scores = values(cases, "content score", cases[0].verdict)
    low, median, high = (float(np.quantile(scores, q)) for q in (0.05, 0.5, 0.95))
    refused = float(np.mean(scores < LEAST_SCORE))
    return {"verdict": cases[0].verdict, "pictures": len(cases), "5 %": low, "median": median, "95 %": high} | {
        "refused": refused
    }


def values(cases: Sequence[Case], name: str, verdict: str) -> NDArray[np.float64]:
    """Return the scores of one measure for the cases of one verdict."""
    return np.array([case.scores[name] for case in cases if case.verdict == verdict])


def cost() -> dict[str, float]:
    """Return the processor time of preparing a source and of scoring one copy, by size."""
    found = {}
    for height, width in ((360, 480), (1024, 2048)):
        picture = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
        scene = Reference(picture)
        works: dict[str, Callable[[], object]] = {
            "source": lambda picture=picture: Reference(picture),
            "copy": lambda picture=picture, scene=scene: scene.score(picture),
        }
        for name, work in works.items():
            begun = time.process_time()
            for _ in range(20):
                work()
            found[f"{name}, {width}x{height}"] = round(50 * (time.process_time() - begun), 1)
    return found


def markdown(report: Mapping[str, Any]) -> str:
    """Return the report as tables."""
    pictures, limits = report["pictures"], report["threshold"]
    lines = [
        "# The content score\n",
        f"{pictures[GENUINE]} genuine pictures, {pictures[DAMAGED]} damaged, {pictures[NEITHER]} neither.\n",
        f"Threshold by the rule: {limits['by the rule']:g}; in use: {limits['in use']:g}.\n",
        "| measure | AUC | damaged caught, at 1 in 200 genuine refused |\n|---|---|---|",
        *(f"| {n} | {m['AUC']:.3f} | {m['damaged caught']:.1%} |" for n, m in report["measures"].items()),
        "\n| threshold | genuine refused | damaged refused |\n|---|---|---|",
        *(
            f"| {t} | {r['genuine refused']:.2%} | {r['damaged refused']:.1%} |"
            for t, r in report["thresholds"].items()
        ),
        "\n| kind | | pictures | 5 % | median | 95 % | refused |\n|---|---|---|---|---|---|---|",
        *(
            f"| {kind} | {k['verdict']} | {k['pictures']} | {k['5 %']:.2f} | {k['median']:.2f} | {k['95 %']:.2f} "
            f"| {k['refused']:.0%} |"
            for kind, k in sorted(report["kinds"].items(), key=lambda item: (item[1]["verdict"], -item[1]["median"]))
        ),
        "\nProcessor milliseconds: " + ", ".join(f"{n}: {t}" for n, t in report["milliseconds of processor"].items()),
    ]
    return "\n".join(lines) + "\n"


def sheet(cases: Sequence[Case]) -> Pixels:
    """Return the lowest-scoring genuine and the highest-scoring damaged pictures, where the threshold errs."""
    genuine = sorted((c for c in cases if c.verdict == GENUINE), key=lambda c: c.scores["content score"])[:8]
    damaged = sorted((c for c in cases if c.verdict == DAMAGED), key=lambda c: -c.scores["content score"])[:48:6]
    rows = [
        [cell for c in pair for cell in (Cell(picture=c.source_HWC), Cell(picture=c.picture_HWC, caption=caption(c)))]
        for pair in zip(genuine, damaged, strict=True)
    ]
    return contact_sheet(("Source", "Genuine, lowest scores", "Source", "Damaged, high scores"), rows, width=240)


def caption(case: Case) -> str:
    """Return score and kind."""
    return f"{case.scores['content score']:.2f}, {case.kind}"


def spread(folder: Path, count: int) -> list[Path]:
    """Return up to `count` pictures spread evenly over a folder."""
    paths = sorted(path for path in folder.iterdir() if path.suffix in (".png", ".jpg"))
    return [paths[index * len(paths) // count] for index in range(count)] if len(paths) > count else paths


def read(path: Path) -> Pixels:
    """Decode a file, no wider than `WIDTH`: a score looks at far less."""
    return fitted(decode_rgb(path.read_bytes()), WIDTH)


@torch.no_grad()
def invert(bundle: Bundle, picture_HWC: Pixels) -> Codes:
    """Return the codes of a picture."""
    return bundle.invert(torch.from_numpy(to_model(picture_HWC, bundle.height, bundle.width))[None])


@torch.no_grad()
def render(bundle: Bundle, ws_BLD: torch.Tensor, noise: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return one synthesis [3, h, w]."""
    return render_clipped(bundle, ws_BLD, noise)[0]


if __name__ == "__main__":
    main()
