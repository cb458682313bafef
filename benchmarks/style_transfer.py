"""Measure on procedural scenes whether a stylized day comes closer to the true render in the exemplar's condition.

A content scene by day is stylized with another scene in another condition as exemplar, by the bundle given and at
source resolution. The truth is the content scene rendered in exactly the exemplar's condition. For each condition: the
share of pairs for which the result is closer to the truth than the content is, in full PSNR and in that of the low
frequencies, and both in dB. Scenes are ones that no bundle was trained on.

    python benchmarks/style_transfer.py streets --scenes 24 --json streets.json --sheet streets.png
    python benchmarks/style_transfer.py unmasked.safetensors --scenes 24
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stylize import load_bundle, scenes
from stylize.images import Pixels, encode, to_model
from stylize.models.bundle import Bundle
from stylize.models.encoder import Codes
from stylize.render import recolour, render_clipped
from stylize.sheet import Cell, contact_sheet
from stylize.truth import closeness

SOURCE = (360, 480)
CONDITIONS = ("dusk", "night", "fog", "rain", "snow")
FIRST_CONTENT, FIRST_EXEMPLAR = 70_000, 80_000


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A content by day, an exemplar in some condition, and the content as it truly looks in that very condition."""

    condition: str
    content_HWC: Pixels
    exemplar_HWC: Pixels
    truth_HWC: Pixels


@dataclass(frozen=True, kw_only=True)
class Result:
    """A pair with its stylized picture; PSNR to the truth, full and low-frequency, of content and result, in dB."""

    pair: Pair
    picture_HWC: Pixels
    before: tuple[float, float]
    after: tuple[float, float]


def make_pairs(count: int, height: int, width: int) -> Iterator[Pair]:
    """Render one pair per scene and condition."""
    for number in range(count):
        content, exemplar = (scenes.Scene.sample(first + number) for first in (FIRST_CONTENT, FIRST_EXEMPLAR))
        day_HWC = scenes.render(content, scenes.Condition.sample("day", content.seed), height, width)
        for name in CONDITIONS:
            condition = scenes.Condition.sample(name, exemplar.seed)
            yield Pair(
                condition=name,
                content_HWC=day_HWC,
                exemplar_HWC=scenes.render(exemplar, condition, height, width),
                truth_HWC=scenes.render(content, condition, height, width),
            )


def synthesise(bundle: Bundle, pair: Pair) -> tuple[Tensor, Tensor]:
    """Return the content's scene at model size in its own and in the exemplar's style."""
    content, exemplar = (invert(bundle, picture_HWC) for picture_HWC in (pair.content_HWC, pair.exemplar_HWC))
    base_BCHW = render_clipped(bundle, content.ws_BLD, content.noise)
    styled_BCHW = render_clipped(bundle, exemplar.ws_BLD, content.noise)
    return base_BCHW[0].cpu(), styled_BCHW[0].cpu()


def invert(bundle: Bundle, picture_HWC: Pixels) -> Codes:
    """Return the codes of one picture."""
    return bundle.invert(torch.from_numpy(to_model(picture_HWC, bundle.height, bundle.width))[None])


def judge(pair: Pair, picture_HWC: Pixels) -> Result:
    """Compare content and result with the truth."""
    return Result(
        pair=pair,
        picture_HWC=picture_HWC,
        before=closeness(pair.content_HWC, pair.truth_HWC),
        after=closeness(picture_HWC, pair.truth_HWC),
    )


def summarise(results: Sequence[Result]) -> dict[str, dict[str, float]]:
    """Return the figures by condition and for all pairs."""
    groups = {name: [result for result in results if result.pair.condition == name] for name in CONDITIONS}
    return {name: _figures(group) for name, group in {**groups, "all": list(results)}.items()}


def _figures(results: Sequence[Result]) -> dict[str, float]:
    before, after = (np.array([getattr(result, side) for result in results]) for side in ("before", "after"))
    closer = (after > before).mean(0)
    return {
        "pairs": len(results),
        "closer": float(closer[0]),
        "closer, low frequencies": float(closer[1]),
        "content PSNR": float(before[:, 0].mean()),
        "result PSNR": float(after[:, 0].mean()),
        "content low-frequency PSNR": float(before[:, 1].mean()),
        "result low-frequency PSNR": float(after[:, 1].mean()),
    }


def show(figures: dict[str, dict[str, float]]) -> None:
    """Print a table."""
    print(f"{'':8}{'pairs':>6}   closer to the truth    PSNR, dB           low-frequency PSNR, dB")
    print(f"{'':14}   full   low freq.      content  result    content  result")
    for name, row in figures.items():
        shares = f"{row['closer']:6.1%}  {row['closer, low frequencies']:6.1%}"
        full = f"{row['content PSNR']:7.2f} {row['result PSNR']:7.2f}"
        low = f"{row['content low-frequency PSNR']:8.2f} {row['result low-frequency PSNR']:7.2f}"
        print(f"{name:8}{row['pairs']:6.0f}   {shares}        {full}   {low}")


def sheet(results: Sequence[Result]) -> Pixels:
    """Return a few pairs with their results and truths, the first of each condition before the second."""
    chosen = [result for result in results if result.pair.content_HWC is results[0].pair.content_HWC]
    chosen += results[len(CONDITIONS) :: len(CONDITIONS) + 1][: len(CONDITIONS)]
    rows = [
        [
            Cell(picture=result.pair.content_HWC),
            Cell(picture=result.pair.exemplar_HWC, caption=result.pair.condition),
            Cell(
                picture=result.picture_HWC, caption=f"{result.before[0]:.1f} dB before, {result.after[0]:.1f} dB after"
            ),
            Cell(picture=result.pair.truth_HWC),
        ]
        for result in chosen
    ]
    return contact_sheet(("Content", "Exemplar", "Result", "True render"), rows)


def main() -> None:
    """Print the table, write JSON and sheet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="bundle: a bundled name, path or URL")
    parser.add_argument("--scenes", type=int, default=24)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--sheet", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    bundle = load_bundle(options.model, device="cpu")
    results = [
        judge(pair, recolour(pair.content_HWC, *synthesise(bundle, pair)))
        for pair in make_pairs(options.scenes, *SOURCE)
    ]
    figures = summarise(results)
    show(figures)
    if options.json:
        report = {
            "model": options.model,
            "weights": bundle.sha256,
            "scenes": options.scenes,
            "source": SOURCE,
            **figures,
        }
        options.json.write_text(json.dumps(report, indent=2) + "\n")
    if options.sheet:
        options.sheet.write_bytes(encode(sheet(results), "png", compress_level=3))


if __name__ == "__main__":
    main()
