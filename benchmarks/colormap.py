"""Compare ways to carry a change of style from a small pair of pictures over to the full-resolution source.

Procedural scenes give what no real data gives: the true full-resolution picture of the same scene in the other
condition. The map is fitted on the pair (day, condition) at model size and applied to the large day picture, which is
then compared with the large truth. Imperfect syntheses are imitated by blur and by blotches: some are common to both
pictures of a pair (errors of the inversion), some in the styled one only (errors of the style). With `--model` a bundle
synthesises pairs as `stylize mix` does, with another scene as exemplar: that table decides, the others show limits.

    python benchmarks/colormap.py --scenes 6 --model streets --json colormap.json --sheet colormap.png

Numbers do not show everything that was looked for: the guided filters let haze and light bleed over borders, and
without the limits of `stylize.tone`, which cost a few dB on perfect pairs, fog turns contrasts around.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import style_transfer
import torch
from torch import Tensor
from torch.nn import functional as F

from stylize import load_bundle, scenes
from stylize.colormap import ColorMapConfig, Level, fit_colormap
from stylize.images import Pixels, encode, to_model
from stylize.metrics import blur, low_frequency_psnr, psnr
from stylize.sheet import Cell, contact_sheet

MODEL, SOURCE = (96, 128), (360, 480)
CONDITIONS = ("dusk", "night", "fog", "rain", "snow")
FIRST_SCENE = 70_000  # scenes that no bundle was trained on
NOISE = {"perfect": 0.0, "good": 0.5, "poor": 1.0}

Variant = Callable[[Tensor, Tensor, Pixels], Pixels]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A scene by day and in another condition, large and small."""

    condition: str
    source_HWC: Pixels
    truth_HWC: Pixels
    base_CHW: Tensor
    styled_CHW: Tensor


def grid(config: ColorMapConfig) -> Variant:
    """Return the bilateral grid of `stylize.colormap`."""

    def run(base_CHW: Tensor, styled_CHW: Tensor, source_HWC: Pixels) -> Pixels:
        guide_CHW = torch.from_numpy(to_model(source_HWC, *base_CHW.shape[1:]))
        return fit_colormap(base_CHW, styled_CHW, guide_CHW, config).apply(source_HWC)

    return run


def guided_filter(radius: int, eps: float, *, towards: str) -> Variant:
    """Return a guided filter per channel, gains pulled towards 1 ("identity") or the picture's own gain ("global")."""

    def run(base_CHW: Tensor, styled_CHW: Tensor, source_HWC: Pixels) -> Pixels:
        gain_C = torch.ones(3) if towards == "identity" else _global_gain(base_CHW, styled_CHW)
        mean_base, mean_styled = _box(base_CHW, radius), _box(styled_CHW, radius)
        variance = _box(base_CHW**2, radius) - mean_base**2
        covariance = _box(base_CHW * styled_CHW, radius) - mean_base * mean_styled
        gains = (covariance + eps * gain_C[:, None, None]) / (variance + eps)
        offsets = mean_styled - gains * mean_base
        both = torch.cat([_box(gains, radius), _box(offsets, radius)])[None]
        large = F.interpolate(both, source_HWC.shape[:2], mode="bilinear")[0]
        source_CHW = _tensor(source_HWC)
        return _pixels(large[:3] * source_CHW + large[3:])

    return run


def global_affine(base_CHW: Tensor, styled_CHW: Tensor, source_HWC: Pixels) -> Pixels:
    """Apply one 3x3 map with offset to the whole picture."""
    config = ColorMapConfig(levels=(Level(bins=1, rows=1, prior=0.01),))
    return grid(config)(base_CHW, styled_CHW, source_HWC)


def content(_base_CHW: Tensor, _styled_CHW: Tensor, source_HWC: Pixels) -> Pixels:
    """Change nothing: what the other variants are measured against."""
    return source_HWC


def synthesis(_base_CHW: Tensor, styled_CHW: Tensor, source_HWC: Pixels) -> Pixels:
    """Enlarge the styled synthesis itself."""
    return _pixels(F.interpolate(styled_CHW[None], source_HWC.shape[:2], mode="bilinear")[0])


VARIANTS: dict[str, Variant] = {
    "content unchanged": content,
    "synthesis enlarged": synthesis,
    "global affine": global_affine,
    "guided filter r3 to identity": guided_filter(3, 4e-3, towards="identity"),
    "guided filter r3 to global": guided_filter(3, 4e-3, towards="global"),
    "guided filter r6 to global": guided_filter(6, 4e-3, towards="global"),
    "grid, coarse": grid(ColorMapConfig(levels=ColorMapConfig().levels[:2])),
    "grid, middle": grid(ColorMapConfig(levels=ColorMapConfig().levels[:3])),
    "grid, no luma": grid(ColorMapConfig(levels=tuple(replace(level, bins=1) for level in ColorMapConfig().levels))),
    "grid as shipped": grid(ColorMapConfig()),
}


def make_cases(count: int) -> list[Case]:
    """Render the scenes."""
    cases = []
    for number in range(FIRST_SCENE, FIRST_SCENE + count):
        scene = scenes.Scene.sample(number)
        views = {
            name: scenes.render(scene, scenes.Condition.sample(name, number), *SOURCE) for name in ("day", *CONDITIONS)
        }
        small = {name: torch.from_numpy(to_model(view, *MODEL)) for name, view in views.items()}
        cases += [
            Case(
                condition=name,
                source_HWC=views["day"],
                truth_HWC=views[name],
                base_CHW=small["day"],
                styled_CHW=small[name],
            )
            for name in CONDITIONS
        ]
    return cases


def bundle_cases(model: str, count: int) -> list[Case]:
    """Synthesise pairs with a bundle."""
    bundle = load_bundle(model, device="cpu")
    return [
        Case(
            condition=pair.condition,
            source_HWC=pair.content_HWC,
            truth_HWC=pair.truth_HWC,
            base_CHW=base_CHW,
            styled_CHW=styled_CHW,
        )
        for pair in style_transfer.make_pairs(count, *SOURCE)
        for base_CHW, styled_CHW in (style_transfer.synthesise(bundle, pair),)
    ]


def spoil(case: Case, level: float, seed: int) -> tuple[Tensor, Tensor]:
    """Return the pair as a mediocre model would synthesise it."""
    if level == 0:
        return case.base_CHW, case.styled_CHW
    generator = torch.Generator().manual_seed(seed)
    fine = _blotches(generator, 1.2, 0.06 * level)
    base_CHW = blur(case.base_CHW[None], 0.6 + 0.3 * level)[0] + fine + _blotches(generator, 4, 0.03 * level)
    styled_CHW = blur(case.styled_CHW[None], 0.6 + 0.3 * level)[0] + 0.6 * fine + _blotches(generator, 5, 0.08 * level)
    return base_CHW.clamp(-1, 1), styled_CHW.clamp(-1, 1)


def measure(variants: dict[str, Variant], cases: Sequence[Case], level: float) -> dict[str, dict[str, list[float]]]:
    """Return (PSNR, low-frequency PSNR) by variant and condition, means over the scenes."""
    results: dict[str, dict[str, list[float]]] = {}
    for name, variant in variants.items():
        scores: dict[str, list[tuple[float, float]]] = {}
        for seed, case in enumerate(cases):
            result = _tensor(variant(*spoil(case, level, seed), case.source_HWC))[None]
            truth = _tensor(case.truth_HWC)[None]
            score = (float(psnr(result, truth)), float(low_frequency_psnr(result, truth)))
            scores.setdefault(case.condition, []).append(score)
        results[name] = {condition: list(np.mean(values, 0)) for condition, values in scores.items()}
        results[name]["mean"] = list(np.mean([results[name][condition] for condition in scores], 0))
    return results


def show(results: dict[str, dict[str, list[float]]]) -> None:
    """Print a table: full PSNR / low-frequency PSNR in dB."""
    columns = list(next(iter(results.values())))
    print(f"{'':30}", *(f"{column:>12}" for column in columns))
    for name, row in results.items():
        print(f"{name:30}", *(f"{row[column][0]:6.2f}/{row[column][1]:5.2f}" for column in columns))


def speed(height: int = 1024, width: int = 2048, repeats: int = 5) -> dict[str, float]:
    """Return the best of some processor times, in seconds: to fit a map, and to apply it to a large picture."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    source_HWC = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    base_CHW = torch.from_numpy(to_model(source_HWC, *MODEL))
    best = {"fit": math.inf, "apply": math.inf}
    for _ in range(repeats):
        start = time.process_time()
        fitted = fit_colormap(base_CHW, base_CHW * 0.5, base_CHW)
        middle = time.process_time()
        fitted.apply(source_HWC)
        best = {"fit": min(best["fit"], middle - start), "apply": min(best["apply"], time.process_time() - middle)}
    return best


def sheet(variants: dict[str, Variant], cases: Sequence[Case], level: float) -> Pixels:
    """Return rows of truth, spoilt synthesis and every variant."""
    rows = []
    for seed, case in enumerate(cases):
        base_CHW, styled_CHW = spoil(case, level, seed)
        cells = [Cell(picture=case.truth_HWC, caption=case.condition), Cell(picture=_pixels(styled_CHW))]
        cells += [Cell(picture=variant(base_CHW, styled_CHW, case.source_HWC)) for variant in variants.values()]
        rows.append(cells)
    return contact_sheet(("truth", "synthesis", *variants), rows)


def _blotches(generator: torch.Generator, sigma: float, amplitude: float) -> Tensor:
    grey, colour = (torch.randn(1, channels, *MODEL, generator=generator) for channels in (1, 3))
    noise = blur(grey, sigma) + 0.4 * blur(colour, sigma)
    return noise[0] * (amplitude / noise.std())


def _box(image_CHW: Tensor, radius: int) -> Tensor:
    padded = F.pad(image_CHW[None], (radius,) * 4, mode="replicate")
    return F.avg_pool2d(padded, 2 * radius + 1, 1)[0]


def _global_gain(base_CHW: Tensor, styled_CHW: Tensor) -> Tensor:
    base, styled = (image - image.mean((1, 2), keepdim=True) for image in (base_CHW, styled_CHW))
    return (base * styled).mean((1, 2)) / (base.square().mean((1, 2)) + 1e-2)


def _tensor(rgb_HWC: Pixels) -> Tensor:
    return torch.from_numpy(rgb_HWC).permute(2, 0, 1).float() / 127.5 - 1


def _pixels(image_CHW: Tensor) -> Pixels:
    scaled: Pixels = ((image_CHW + 1) * 127.5).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
    return scaled


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=6)
    parser.add_argument("--model", help="also judge pairs that this bundle synthesises")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--sheet", type=Path)
    options = parser.parse_args()
    cases = make_cases(options.scenes)
    report: dict[str, object] = {"scenes": options.scenes, "model": MODEL, "source": SOURCE}
    for noise, level in NOISE.items():
        print(f"\n{noise} syntheses: PSNR / low-frequency PSNR to the truth, dB, {options.scenes} scenes")
        results = measure(VARIANTS, cases, level)
        show(results)
        report[noise] = results
    if options.model:
        print(f"\nsyntheses of {options.model}: PSNR / low-frequency PSNR to the truth, dB, {options.scenes} scenes")
        report[f"model {options.model}"] = results = measure(VARIANTS, bundle_cases(options.model, options.scenes), 0)
        show(results)
    report["processor seconds for 2048x1024, one thread"] = times = speed()
    print(f"\n2048x1024 on one thread, processor time: fit {times['fit']:.3f} s, apply {times['apply']:.3f} s")
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n")
    if options.sheet:
        shown = {
            name: variant
            for name, variant in VARIANTS.items()
            if name not in ("content unchanged", "synthesis enlarged")
        }
        options.sheet.write_bytes(encode(sheet(shown, cases[: len(CONDITIONS)], NOISE["poor"]), "png"))


if __name__ == "__main__":
    main()
