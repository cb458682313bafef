"""What the sections of the demo's page draw on: its pictures, figures and commands, and some words for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.democommands import Commands, wrapped
from pipelines.demoscenes import DAY, KINDS, WEATHER, Cast
from pipelines.demotruth import Pair
from pipelines.proxyresult import ProxyRanking
from pipelines.summary import Summary
from stylize.images import Pixels, decode_label, decode_rgb
from stylize.markup import Html, tag
from stylize.reporting import commands, fitted, folded
from stylize.scenes.kinds import CLASSES
from stylize.storage import Storage
from stylize.truth import Comparison

WIDE, SMALL = 512, 300  # of the pictures that are looked at, and of those beside them
MINUS = "\u2212"
TITLES = {"dusk": "At dusk", "night": "At night", "fog": "In fog", "rain": "In rain", "snow": "In snow"}
# The colours that CamVid's classes are known by, in the order of `stylize.scenes.CLASSES`, and black for ignored.
PALETTE = np.array(
    [
        [128, 128, 128],
        [128, 0, 0],
        [192, 192, 128],
        [128, 64, 128],
        [0, 0, 192],
        [128, 128, 0],
        [192, 128, 128],
        [64, 64, 128],
        [64, 0, 128],
        [64, 64, 0],
        [0, 128, 192],
        [0, 0, 0],
    ],
    np.uint8,
)


@dataclass(frozen=True, kw_only=True)
class Story:
    """What the page tells; `pairs` have a true render, `comparisons` with it are by the hash of a pair's result.

    `problems` are what doctor found wrong with the labelled streets.
    """

    storage: Storage
    cast: Cast
    pairs: Sequence[Pair]
    comparisons: Mapping[str, Comparison]
    caches: Sequence[Summary]
    mixed: Summary
    ranking: ProxyRanking
    seconds: Mapping[str, float]
    processor: Mapping[str, float]
    commands: Commands
    problems: int
    steps: int

    def picture(self, path: str, width: int = WIDE) -> Pixels:
        """Return a picture of the demo, as large as the page needs it."""
        return fitted(decode_rgb(self.storage.read(path)), width)

    def label(self, path: str, width: int = WIDE) -> Pixels:
        """Return a label picture in colours."""
        colours = PALETTE[np.minimum(decode_label(self.storage.read(path)), len(PALETTE) - 1)]
        return fitted(colours, width)

    def of(self, pair: Pair) -> Comparison:
        """Return the comparison of a pair."""
        return self.comparisons[pair.sha256]

    def gain(self, pair: Pair) -> float:
        """Return how many dB nearer to the truth a result is than its content, in light and colour by region."""
        return self.of(pair).result_low - self.of(pair).content_low

    def of_condition(self, condition: str) -> list[Pair]:
        """Return the pairs of a condition, the median gain first, so that what is shown first is typical."""
        pairs = sorted((p for p in self.pairs if p.exemplar.condition == condition), key=self.gain)
        middle = (len(pairs) - 1) / 2
        return sorted(pairs, key=lambda pair: abs(pairs.index(pair) - middle))

    def showcase(self) -> list[Pair]:
        """Return one pair per condition of the street whose copies show the most, and most clearly, of them."""
        scenes = dict.fromkeys(pair.scene for pair in self.pairs)
        best: list[Pair] = []
        for scene in scenes:
            by_condition = {pair.exemplar.condition: pair for pair in self.pairs if pair.scene == scene}
            found = [by_condition[kind] for kind in KINDS if kind in by_condition]
            if len(found) > len(best):
                best = found
        return best


def exemplar_path(pair: Pair) -> str:
    """Return the exemplar of a pair, relative to the demo."""
    return f"{WEATHER}/{pair.exemplar.source}"


def typed(*lines: str) -> Html:
    """Return the commands of a part, out of sight until somebody asks for them."""
    return folded("The commands for this part", commands(*map(wrapped, lines)))


def over(picture_HWC: Pixels, colours_HWC: Pixels) -> Pixels:
    """Return a picture with a label's colours over it."""
    mixed: Pixels = (0.55 * picture_HWC + 0.45 * colours_HWC).astype(np.uint8)
    return mixed


def legend() -> Html:
    """Return what the colours of labels mean."""
    entries = [
        tag("span", tag("i", style=f"background:rgb({red},{green},{blue})"), name.replace("_", " "))
        for name, (red, green, blue) in zip(CLASSES, PALETTE.tolist(), strict=False)
    ]
    return tag("p", *entries, class_="legend")


def percent(share: float) -> str:
    """Spell a share with one decimal."""
    return f"{100 * share:.1f} %"


def points(share: float) -> str:
    """Spell a difference of shares in points, with its sign."""
    return f"{100 * share:+.1f}".replace("-", MINUS)


def day_picture(scene: int, split: str) -> str:
    """Return a street by day, relative to the demo."""
    return f"{DAY}/{split}/scene{scene:05d}_day.png"
