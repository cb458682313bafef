"""Look at networks on streets that have no labels: how much of the plain sky and the plain ground do they recognise?

Where the sky and the ground of a picture are follows from place and colour (`stylize.regions`), surely enough for some
of their pixels. Of these, the share that a network calls sky, and road or pavement, is a little of what labels would
tell: nothing of small things, and for the ground an upper end below 100 %, because some of what stands on it or borders
it is taken for it. So the last column counts cars and people as right too, wherever a network sees them. The networks
are those that domain_generalization.py has trained in WORK, on a source whose classes are CamVid's.

    python benchmarks/unlabelled.py WORK ../shared/data/camvid/dusk
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from segmentation.network import NETWORK, SegmentationNetwork, load_network
from segmentation.training import predict
from segmentation.worlds import REAL_HEIGHT, REAL_RECIPE

from stylize.datasets.base import open_dataset
from stylize.images import Pixels, decode_rgb
from stylize.labelsets import label_set
from stylize.regions import GROUND, SKY, regions_of

SURE = 230  # of 255: the weight from which a pixel counts
PARTS = ("sky", "ground")
STREET, ON_IT = ("road", "pavement"), ("car", "pedestrian", "bicyclist")
ASKED = {
    "sky called sky": ("sky", ("sky",)),
    "ground called road or pavement": ("ground", STREET),
    "ground called these, or car, pedestrian or bicyclist": ("ground", (*STREET, *ON_IT)),
}
"""Of which part the share is counted that has one of which classes, by the head of its column."""
HEADER = f"| network | {' | '.join(ASKED)} |\n|---|" + "---|" * len(ASKED)


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A picture at the height that networks see, its own size, and where its plain sky and ground are."""

    picture_HWC: Pixels
    size: tuple[int, int]
    plain_PHW: npt.NDArray[np.bool_]


def load(folder: str, height: int) -> list[Frame]:
    """Read pictures and find their sky and ground."""
    dataset = open_dataset(folder, layout="folder")
    frames = []
    for sample in dataset.samples:
        whole_HWC = decode_rgb(dataset.storage.read(sample.image))
        rows, columns, _ = whole_HWC.shape
        width = max(16, round(columns * height / rows / 16) * 16)
        small = Image.fromarray(whole_HWC).resize((width, height), Image.Resampling.BOX)
        plain_PHW = regions_of(whole_HWC).weights(whole_HWC, (SKY, GROUND)) >= SURE
        frames.append(Frame(picture_HWC=np.asarray(small), size=(rows, columns), plain_PHW=plain_PHW))
    return frames


def recognised(
    network: SegmentationNetwork, frames: Sequence[Frame], asked: Sequence[tuple[int, Sequence[int]]]
) -> list[float]:
    """Return the share of each part, plain sky 0 or plain ground 1, that has one of the ids; pictures weigh alike."""
    shares: list[list[float]] = [[] for _ in asked]
    for frame in frames:
        predicted_HW = predict(network, frame.picture_HWC, *frame.size, REAL_RECIPE.scales)
        for found, (part, right) in zip(shares, asked, strict=True):
            plain_HW = frame.plain_PHW[part]
            if plain_HW.any():
                found.append(float(np.isin(predicted_HW[plain_HW], right).mean()))
    return [float(np.mean(found)) if found else float("nan") for found in shares]


def main() -> None:
    """Parse, predict, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path, help="of domain_generalization.py")
    parser.add_argument("pictures", help="folder of pictures without labels")
    parser.add_argument("--height", type=int, default=REAL_HEIGHT, help="of pictures as the networks see them")
    parser.add_argument("--json", type=Path, help="write the figures here, and the table beside them as .md")
    options = parser.parse_args()
    paths = sorted(options.work.glob(f"models/*/{NETWORK}"))
    if not paths:
        parser.error(f"no networks in {options.work}: run domain_generalization.py first")
    classes = label_set("camvid11").classes
    asked = [(PARTS.index(part), [classes.index(name) for name in names]) for part, names in ASKED.values()]
    frames = load(options.pictures, options.height)
    found = {path.parent.name: recognised(load_network(path, len(classes)), frames, asked) for path in paths}
    lines = [HEADER] + [f"| {name} | {' | '.join(f'{share:.1%}' for share in each)} |" for name, each in found.items()]
    print("\n".join(lines))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
        options.json.with_suffix(".md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
