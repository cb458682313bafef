"""Measure the bundles that a training leaves on its way: reconstruction and style against images seen.

For each bundle: PSNR and perceptual distance (EfficientNet-Lite0 features) of a drive that it was not trained on, and
how far `mix` brings frames of that drive towards exemplars: the share of the way in Lab colours and in network
features, at source resolution, by set of exemplars. Bundles are named by the images they have seen; a `+` in front
counts from the last of those before, for a run that continued another.

    python benchmarks/curve.py 4800=early.safetensors 24000=late.safetensors +8000=more.safetensors --json curve.json
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import torch

from stylize.codec import Floats
from stylize.datasets.base import open_dataset
from stylize.evaluation.features import Backbone, load_backbone
from stylize.evaluation.reconstruction import Cached, ReconstructionJudge
from stylize.evaluation.stylization import StylizationJudge, Triple
from stylize.guard import content_score
from stylize.images import Pixels, decode_rgb, to_model
from stylize.models.bundle import Bundle, load_bundle
from stylize.render import recolour, render_clipped
from stylize.sheet import evenly
from stylize.training.inputs import find_inputs

matplotlib.use("Agg")
import matplotlib.pyplot as plt

DATA = Path(__file__).parents[1].parent / "shared" / "data"
HELD_OUT = "*0006R0*"
SETS = {"dusk": "camvid/dusk", **{name: f"exemplars/{name}" for name in ("fog", "rain", "sunrise", "cloudy")}}
BATCH = 8
JUDGED = (192, 256)  # height and width at which styles are compared, as `evaluate stylization` does
CPU = torch.device("cpu")


@dataclass(frozen=True, kw_only=True)
class Frames:
    """What every bundle is judged on: all held-out pictures, some of them as contents, and exemplars by set."""

    heldout: Sequence[Pixels]
    contents: Sequence[Pixels]
    exemplars: Mapping[str, Sequence[Pixels]]


def read_frames(data: Path, pairs: int) -> Frames:
    """Read the held-out drive and as many exemplars of each set as there are pairs."""
    found = find_inputs(str(data / "camvid"), split="train", holdout=HELD_OUT)
    heldout = [decode_rgb(found.dataset.storage.read(sample.image)) for sample in found.heldout]
    exemplars = {}
    for name, folder in SETS.items():
        dataset = open_dataset(str(data / folder))
        chosen = [dataset.samples[i] for i in evenly(len(dataset.samples), pairs)]
        exemplars[name] = [decode_rgb(dataset.storage.read(sample.image)) for sample in chosen]
    return Frames(heldout=heldout, contents=[heldout[i] for i in evenly(len(heldout), pairs)], exemplars=exemplars)


def reconstruction(bundle: Bundle, frames: Sequence[Pixels], backbone: Backbone) -> dict[str, float]:
    """Return means over pictures by measure."""
    judge = ReconstructionJudge(bundle, backbone=backbone, lpips=None, inception=None)
    for start in range(0, len(frames), BATCH):
        pictures = np.stack([at_model(bundle, frame) for frame in frames[start : start + BATCH]])
        codes = bundle.invert(torch.from_numpy(pictures))
        first, second = codes.noise
        judge(
            [
                Cached(picture_CHW=picture, codes_LD=ws.numpy(), noise=(one.numpy(), other.numpy()))
                for picture, ws, one, other in zip(pictures, codes.ws_BLD, first, second, strict=True)
            ]
        )
    return {name: judge.measures[name].mean for name in ("psnr", "efficientnet_distance")}


def style(bundle: Bundle, frames: Frames, name: str, backbone: Backbone) -> dict[str, float]:
    """Return the shares of the way to one set of exemplars, and what is left of the content."""
    judge = StylizationJudge(backbone, CPU, segmented=False)
    for number, (content, exemplar) in enumerate(zip(frames.contents, frames.exemplars[name], strict=False)):
        output = stylized(bundle, content, exemplar)
        judge(
            [
                Triple(
                    content_CHW=to_model(content, *JUDGED),
                    output_CHW=to_model(output, *JUDGED),
                    exemplar=str(number),
                    exemplar_CHW=to_model(exemplar, *JUDGED),
                    score=content_score(content, output),
                )
            ]
        )
    return {**judge.reached(), "structure": judge.measures["structure"].mean}


def stylized(bundle: Bundle, content: Pixels, exemplar: Pixels) -> Pixels:
    """Return the content in the exemplar's style at its own size, as `mix` writes it."""
    codes = bundle.invert(torch.from_numpy(np.stack([at_model(bundle, content), at_model(bundle, exemplar)])))
    noise = [maps[:1] for maps in codes.noise]
    base, styled = (render_clipped(bundle, codes.ws_BLD[i : i + 1], noise)[0] for i in range(2))
    return recolour(content, base, styled)


def at_model(bundle: Bundle, picture: Pixels) -> Floats:
    """Return a picture as the model sees it."""
    return to_model(picture, bundle.height, bundle.width)


def parse(arguments: Sequence[str]) -> list[tuple[int, str]]:
    """Return images seen and file of each `IMAGES=FILE`; `+IMAGES` counts from the last one without a plus."""
    found, before = [], 0
    for argument in arguments:
        count, _, file = argument.partition("=")
        if not file or not count.removeprefix("+").isdigit():
            raise SystemExit(f"{argument!r} is not IMAGES=FILE, such as 24000=run/bundle.safetensors")
        if count.startswith("+"):
            found.append((before + int(count), file))
        else:
            before = int(count)
            found.append((before, file))
    return found


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the rows as a Markdown table."""
    head = ["images seen", "size", "PSNR, dB", "perceptual distance"]
    head += [f"{name}: colours, features" for name in SETS]
    lines = [head, ["---"] * len(head)]
    for row in rows:
        shares = [f"{row['style'][name]['colour']:.0%}, {row['style'][name]['features']:.0%}" for name in SETS]
        quality = [f"{row['psnr']:.2f}", f"{row['efficientnet_distance']:.3f}"]
        lines.append([f"{row['images']:,}", row["size"], *quality, *shares])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def draw(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw reconstruction and style against images seen."""
    seen = [row["images"] / 1000 for row in rows]
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(14, 4.4), layout="constrained")
    left.plot(seen, [row["psnr"] for row in rows], "-o", color="#3a5a8c")
    left.set_title("Reconstruction, PSNR in dB", loc="left")
    middle.plot(seen, [row["efficientnet_distance"] for row in rows], "-o", color="#b0573a")
    middle.set_title("Perceptual distance", loc="left")
    for name in SETS:
        right.plot(seen, [100 * row["style"][name]["colour"] for row in rows], "-o", label=name, markersize=4)
    right.set_title("Way to the exemplars' colours, %", loc="left")
    right.legend(frameon=False, fontsize=9)
    for axes in (left, middle, right):
        axes.set_xlabel("images seen, thousands")
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main() -> None:
    """Judge every bundle; print the table, write JSON, table and plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundles", nargs="+", metavar="IMAGES=FILE")
    parser.add_argument("--data", type=Path, default=DATA, help="the folder with camvid and exemplars in it")
    parser.add_argument("--pairs", type=int, default=16, help="of content and exemplar, by set")
    parser.add_argument("--json", type=Path, help="table and plot are written beside it")
    options = parser.parse_args()
    torch.set_num_threads(1)
    backbone = load_backbone(CPU)
    frames = read_frames(options.data, options.pairs)
    rows = []
    for images, file in parse(options.bundles):
        bundle = load_bundle(file, device="cpu")
        row = {"images": images, "sha256": bundle.sha256, "size": f"{bundle.height}x{bundle.width}"}
        row |= reconstruction(bundle, frames.heldout, backbone)
        row["style"] = {name: style(bundle, frames, name, backbone) for name in SETS}
        rows.append(row)
        print(table(rows).splitlines()[-1], flush=True)
    print(table(rows))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")
        text = f"# Training curve\n\n{__doc__.split('    python')[0].strip()}\n\n{table(rows)}\n"
        options.json.with_suffix(".md").write_text(text)
        draw(rows, options.json.with_suffix(".png"))


if __name__ == "__main__":
    main()
