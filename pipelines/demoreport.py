"""The page that the demo ends in: what went in, what came out, how near it is to the truth, and how to do the same."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from pipelines.demoscenes import DAY, KINDS, WEATHER, Cast
from pipelines.demotruth import STYLIZED, Pair
from pipelines.summary import Summary
from stylize import __version__
from stylize.charts import bars, dumbbells
from stylize.images import Pixels, decode_label, decode_rgb, from_model, to_model
from stylize.markup import Child, Html, join
from stylize.models.bundle import load_bundle
from stylize.render import render_clipped
from stylize.reporting import (
    Shown,
    code,
    commands,
    fitted,
    footer,
    gallery,
    masthead,
    page,
    rows,
    section,
    subtitle,
    table,
    text,
    tiles,
)
from stylize.spelling import count, size, spell
from stylize.storage import Storage
from stylize.truth import Comparison, Verdict, by_condition, judge

UNIT = 2  # pictures per unit: few pictures are shared out evenly, and their progress can be seen
WIDTH, HERO = 400, 512
HERO_STREET = 3  # by index among the contents
PER_CONDITION = 2  # pairs shown
LEAST = 2  # pairs shown that gained least
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
    """What the page tells; `comparisons` are by the hash of a pair's result."""

    storage: Storage
    cast: Cast
    pairs: Sequence[Pair]
    comparisons: Mapping[str, Comparison]
    caches: Sequence[Summary]
    mixed: Summary
    seconds: Mapping[str, float]
    model: str
    seed: int

    def picture(self, path: str, width: int = WIDTH) -> Pixels:
        """Return a picture of the demo, as large as the page needs it."""
        return fitted(decode_rgb(self.storage.read(path)), width)

    def of(self, pair: Pair) -> Comparison:
        """Return the comparison of a pair."""
        return self.comparisons[pair.sha256]


def build(story: Story) -> bytes:
    """Return the page."""
    return page(
        "stylize demo",
        _head(story),
        _hero(story),
        _figures(story),
        _method(story),
        _weather(story),
        _measured(story),
        _least(story),
        _labels(story),
        _cost(story),
        _own(story),
        footer(
            f"Written by stylize {__version__} on {time.strftime('%Y-%m-%d %H:%M:%S %Z')}. Streets are procedural: "
            "scene numbers below 1000, of which the bundled model has seen none. Folder: ",
            code(story.storage.url),
        ),
    )


def _head(story: Story) -> Html:
    streets = count(len(story.cast.contents), "labelled street")
    return masthead(
        "stylize demo",
        "One labelled day becomes five kinds of weather",
        f"{streets} by day and {len(story.cast.exemplars)} unlabelled pictures of other streets went in. "
        f"{story.mixed.rows} labelled pictures came out: every street at dusk, at night, in fog, in rain and in snow. "
        "Nothing has moved, so that every label still fits, pixel for pixel.",
    )


def _hero(story: Story) -> Html:
    """Show one street in all weathers."""
    pairs = _of_scene(story, story.cast.contents[min(HERO_STREET, len(story.cast.contents) - 1)]) or story.pairs
    first = {pair.exemplar.condition: pair for pair in reversed(pairs)}
    shown = [Shown(picture=story.picture(pairs[0].content, HERO), caption="The content: by day, with labels")]
    for condition in KINDS:
        if condition in first:
            picture = story.picture(first[condition].result, HERO)
            shown.append(Shown(picture=picture, caption=f"Stylized: {TITLES[condition].lower()}", mark="result"))
    return gallery(shown, 3)


def _figures(story: Story) -> Html:
    verdict = judge(story.comparisons.values())
    return tiles(
        [
            (f"{len(story.cast.contents)} → {story.mixed.rows}", "labelled pictures"),
            (f"{verdict.closer_low:.0%}", "come nearer to the truth in light and colour by region"),
            (f"{verdict.closer:.0%}", "come nearer in full, pixel by pixel"),
            (f"{verdict.result_low - verdict.content_low:+.1f} dB", "towards the true render, on average"),
            (f"{story.caches[0].mean('psnr'):.1f} dB", "reconstruction by the model"),
            (_minutes(sum(story.seconds.values())), "for everything, rendering included"),
        ]
    )


def _method(story: Story) -> Html:
    """Show the steps of one picture."""
    pair = _showcase(story)
    content, exemplar = (decode_rgb(story.storage.read(path)) for path in (pair.content, _exemplar(pair)))
    bundle = load_bundle(story.model, device="cpu")
    images_BCHW = torch.stack(
        [torch.from_numpy(to_model(rgb_HWC, bundle.height, bundle.width)) for rgb_HWC in (content, exemplar)]
    )
    codes = bundle.invert(images_BCHW)
    noise = [noise_BCHW[:1].expand(2, -1, -1, -1) for noise_BCHW in codes.noise]
    own, styled = (from_model(chw.numpy()) for chw in render_clipped(bundle, codes.ws_BLD, noise).cpu())
    frame = f"{bundle.height} x {bundle.width}"
    return section(
        "How one picture is made",
        gallery(
            [
                Shown(picture=fitted(content, WIDTH), caption="1. Content: its noise maps are the scene"),
                Shown(picture=fitted(exemplar, WIDTH), caption="2. Exemplar: its w+ codes are the style"),
                Shown(picture=own, caption=f"3. The model renders the content from its own codes ({frame})"),
                Shown(picture=styled, caption="4. … and from the exemplar's codes"),
                Shown(picture=story.picture(pair.result), caption="5. Result: the change, at full size", mark="result"),
            ],
            5,
        ),
        text(
            "From 3 to 4 only the style changes, and what the small model gets wrong is wrong in both. So the change "
            "is fitted by a smooth colour map that keeps to edges, and the map is applied to the content at its full "
            f"size: {content.shape[0]} x {content.shape[1]} here, any size on your own frames."
        ),
    )


def _weather(story: Story) -> Html:
    blocks: list[Child] = []
    for place, condition in enumerate(KINDS):
        chosen = _spread(story, condition, place)
        if chosen:
            blocks += [subtitle(TITLES[condition]), _compared(story, chosen)]
    return section(
        "What came out",
        *blocks,
        lead="The last column is what no real data can show: the same street, rendered in exactly the light and "
        "weather of the exemplar. Neither the model nor the pipeline has seen it. Below the pictures stands the PSNR "
        "to it, after a blur: see further down.",
    )


def _compared(story: Story, pairs: Iterable[Pair]) -> Html:
    return rows(("Content", "Exemplar", "Result", "True render"), [_row(story, pair) for pair in pairs])


def _row(story: Story, pair: Pair) -> tuple[Shown, ...]:
    comparison = story.of(pair)
    return (
        Shown(
            picture=story.picture(pair.content),
            caption=f"street {pair.scene}; PSNR to truth {comparison.content_low:.1f} dB",
        ),
        Shown(picture=story.picture(_exemplar(pair)), caption=f"street {pair.exemplar.scene}, no labels"),
        Shown(
            picture=story.picture(pair.result), caption=f"PSNR to truth {comparison.result_low:.1f} dB", mark="result"
        ),
        Shown(picture=story.picture(pair.truth), caption=f"street {pair.scene} in that weather"),
    )


def _measured(story: Story) -> Html:
    verdicts = by_condition(story.comparisons.values())
    everything = judge(story.comparisons.values())
    lines = [
        (TITLES[name], verdict.content_low, verdict.result_low, f"{verdict.closer_low:.0%} of {verdict.pairs} nearer")
        for name, verdict in verdicts.items()
    ]
    body = [_line(TITLES[name], verdict) for name, verdict in verdicts.items()]
    return section(
        "Measured against the truth",
        dumbbells(lines, "dB", ("content as it was", "stylized result")),
        table(("", "pairs", "nearer", "nearer, blurred", "PSNR", "PSNR, blurred"), [*body, _line("All", everything)]),
        text(
            "The chart and the blurred columns are PSNR to the true render after a blur of a 24th of the height: light "
            "and colour by region. The others are full resolution, pixel by pixel, where falling snow, puddles, lit "
            "lamps and the snow on the ground count too, which no change of colours can bring."
        ),
        lead="PSNR to the true render, of the content as it was and of the stylized result. Higher is nearer.",
    )


def _line(name: str, verdict: Verdict) -> Sequence[Child]:
    return (
        name,
        str(verdict.pairs),
        f"{verdict.closer:.0%}",
        f"{verdict.closer_low:.0%}",
        f"{verdict.content:.1f} → {verdict.result:.1f} dB",
        f"{verdict.content_low:.1f} → {verdict.result_low:.1f} dB",
    )


def _least(story: Story) -> Html:
    """Show where it works least, so that nobody has to look for it."""
    ordered = sorted(story.pairs, key=lambda pair: story.of(pair).result_low - story.of(pair).content_low)
    return section(
        "Where it works least",
        _compared(story, ordered[:LEAST]),
        lead=f"Of all {len(story.pairs)} pairs, those that gained least.",
    )


def _labels(story: Story) -> Html:
    pair = _showcase(story)
    label = story.storage.read(f"{DAY}/{_label(pair)}")
    colours = PALETTE[np.minimum(decode_label(label), len(PALETTE) - 1)]
    content, result = (decode_rgb(story.storage.read(path)) for path in (pair.content, pair.result))
    shown = [
        Shown(picture=fitted(colours, WIDTH), caption="The label of the content, copied byte for byte"),
        Shown(picture=fitted(_over(content, colours), WIDTH), caption="… over the content"),
        Shown(picture=fitted(_over(result, colours), WIDTH), caption="… over the result", mark="result"),
    ]
    return section("Labels travel along", gallery(shown, 3))


def _cost(story: Story) -> Html:
    cache = story.caches[0]
    stages = {name: (seconds, spell(seconds)) for name, seconds in story.seconds.items()}
    lost = cache.mean("psnr_fp32") - cache.mean("psnr")
    raw, stored = cache.figures.get("raw_bytes", 0) / max(1, cache.rows), cache.bytes / max(1, cache.rows)
    return section(
        "What it takes",
        bars(stages),
        text(
            f"A cached picture takes {size(stored)} instead of {size(raw)} as raw fp32; storing it that "
            f"small costs {lost:.3f} dB. Rendering the streets and their truth is for the demo alone: your own run "
            "has the stages invert and mix."
        ),
    )


def _own(story: Story) -> Html:
    copies = len(story.cast.exemplars)
    return section(
        "The same with your own frames",
        commands(
            "# look at the dataset first: CamVid, Cityscapes, ACDC, BDD100K or plain folders",
            "stylize doctor ~/data/frames",
            "# every picture once; exemplars need no labels, a folder of photographs will do",
            "stylize invert ~/data/frames frames-cache",
            "stylize invert ~/photos/night night-cache",
            "# a labelled dataset with the same folders and file names, in the style of the exemplars",
            "stylize mix frames-cache frames-at-night --styles night-cache --per-image 2",
            "stylize verify frames-at-night",
            "stylize report frames-at-night",
        ),
        text(
            "Folders may be URLs such as ",
            code("s3://bucket/frames"),
            ". An interrupted command goes on when it is given again. The bundled models are small; for frames that "
            "look different, ",
            code("stylize train-encoder"),
            " trains one on your own pictures, without labels.",
        ),
        subtitle("What this demo did"),
        commands(
            f"stylize doctor {DAY}",
            f"stylize invert {DAY} cache/day --model {story.model} --unit-size {UNIT}",
            f"stylize invert {WEATHER} cache/weather --model {story.model} --unit-size {UNIT}",
            f"stylize mix cache/day {STYLIZED} --styles cache/weather --per-image {copies} --seed {story.seed} "
            "--min-content-score 0",
            f"stylize verify {STYLIZED}",
        ),
        text(join("Everything is still there: ", code(STYLIZED), " is a dataset that a trainer reads as it is.")),
    )


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f} min" if seconds >= 60 else spell(seconds)


def _exemplar(pair: Pair) -> str:
    return f"{WEATHER}/{pair.exemplar.source}"


def _label(pair: Pair) -> str:
    return pair.content.removeprefix(f"{DAY}/").replace("train/", "trainannot/")


def _of_scene(story: Story, scene: int) -> list[Pair]:
    return [pair for pair in story.pairs if pair.scene == scene]


def _showcase(story: Story) -> Pair:
    """Return the pair that steps and labels are shown with: the second street at dusk, or the first pair there is."""
    scene = story.cast.contents[min(1, len(story.cast.contents) - 1)]
    return next(iter(_of_scene(story, scene)), story.pairs[0])


def _spread(story: Story, condition: str, place: int) -> list[Pair]:
    """Return some pairs of a condition: streets in turn over the conditions, each of its exemplars in turn."""
    pairs = [pair for pair in story.pairs if pair.exemplar.condition == condition]
    exemplars = list(dict.fromkeys(pair.exemplar for pair in pairs))
    scenes = list(dict.fromkeys(pair.scene for pair in pairs))
    wanted = _turns(scenes, exemplars, 1 + PER_CONDITION * place)
    return [pair for key in wanted for pair in pairs if (pair.scene, pair.exemplar) == key]


def _turns(scenes: Sequence[int], exemplars: Sequence[object], start: int) -> Iterator[tuple[int, object]]:
    for number in range(min(PER_CONDITION, len(scenes)) if exemplars else 0):
        yield scenes[(start + number) % len(scenes)], exemplars[number % len(exemplars)]


def _over(picture_HWC: Pixels, colours_HWC: Pixels) -> Pixels:
    """Return a picture with a label's colours over it."""
    mixed: Pixels = (0.55 * picture_HWC + 0.45 * colours_HWC).astype(np.uint8)
    return mixed
