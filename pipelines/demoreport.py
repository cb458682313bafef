"""The page that the demo ends in: why, what went in, what came out, what it is worth, and how to do the same."""

from __future__ import annotations

import time

import torch

from pipelines import demolearned, demoresults
from pipelines.democommands import STAGES
from pipelines.demoscenes import KINDS, PER_CONDITION, TRAIN, WEATHER, label_of
from pipelines.demostory import (
    MINUS,
    SMALL,
    TITLES,
    WIDE,
    Story,
    day_picture,
    exemplar_path,
    legend,
    over,
    typed,
)
from pipelines.demotruth import STYLIZED
from stylize import __version__
from stylize.charts import bars
from stylize.images import decode_rgb, from_model, to_model
from stylize.markup import Html
from stylize.models.bundle import load_bundle
from stylize.render import render_clipped
from stylize.reporting import (
    Shown,
    code,
    commands,
    fitted,
    footer,
    gallery,
    links,
    masthead,
    page,
    section,
    table,
    text,
    tiles,
)
from stylize.spelling import count, size, spell
from stylize.truth import judge

PARTS = {
    "streets": "What went in",
    "how": "How it works",
    "results": "What came out",
    "truth": "Is it right?",
    "training": "Does it help?",
    "choosing": "Choosing a network",
    "cost": "What it takes",
    "own": "Your own frames",
}

__all__ = ["Story", "build"]


def build(story: Story) -> bytes:
    """Return the page."""
    return page(
        "stylize demo",
        _head(story),
        links(PARTS),
        _hero(story),
        _figures(story),
        _streets(story),
        _method(story),
        demoresults.results(story),
        demoresults.truth(story),
        demolearned.training(story),
        demolearned.choosing(story),
        _cost(story),
        _own(),
        footer(
            f"Written by stylize {__version__} on {time.strftime('%Y-%m-%d %H:%M:%S %Z')}. Streets are procedural: "
            "scene numbers below 1000, of which the bundled model has seen none. Folder: ",
            code(story.storage.url),
        ),
    )


def _head(story: Story) -> Html:
    return masthead(
        "stylize demo",
        "One labelled day becomes five kinds of weather",
        "A segmentation network that has only seen daylight is lost at night and in fog, and labelling such frames by "
        f"hand is slow. So the labels of the day are used again: {len(story.cast.contents)} labelled streets take on "
        f"the look of {len(story.cast.exemplars)} unlabelled pictures of other streets. Nothing moves, so every label "
        "still fits, pixel for pixel.",
    )


def _hero(story: Story) -> Html:
    """Show one street in all weathers."""
    pairs = story.showcase()
    shown = [Shown(picture=story.picture(pairs[0].content), caption="By day, with labels: the content")]
    for pair in pairs:
        name = TITLES[pair.exemplar.condition]
        shown.append(Shown(picture=story.picture(pair.result), caption=f"{name}: stylized, same labels", mark="result"))
    return gallery(shown, 3)


def _figures(story: Story) -> Html:
    before, after = demolearned.overall(story)
    verdict = judge(story.comparisons.values())
    lines = [
        (f"{len(story.cast.contents)} + {story.mixed.rows}", "labelled pictures: streets by day, and copies of them"),
        (
            f"{100 * before:.1f} → {100 * after:.1f}",
            "% mean IoU in unseen weather, trained without and with copies",
        ),
        (f"{verdict.closer_low:.0%}", "of copies nearer to the true weather in light and colour"),
        (f"{verdict.result_low - verdict.content_low:+.1f} dB".replace("-", MINUS), "towards the truth, on average"),
        (_minutes(sum(story.seconds.values())), "for everything, rendering and training included"),
    ]
    return tiles(lines)


def _streets(story: Story) -> Html:
    first = story.cast.contents[0]
    found = count(story.problems, "problem") if story.problems else "nothing wrong"
    day = day_picture(first, TRAIN)
    label = label_of(day)
    content = decode_rgb(story.storage.read(day))
    colours = story.label(label, content.shape[1])
    exemplars = [next(one for one in story.cast.exemplars if one.condition == kind) for kind in KINDS]
    cast = story.cast
    return section(
        PARTS["streets"],
        gallery(
            [
                Shown(picture=fitted(content, WIDE), caption="A street by day …"),
                Shown(picture=fitted(colours, WIDE), caption="… its label: a class for every pixel"),
                Shown(picture=fitted(over(content, colours), WIDE), caption="… one over the other"),
            ],
            3,
        ),
        legend(),
        gallery(
            [
                Shown(
                    picture=story.picture(f"{WEATHER}/{one.source}", SMALL),
                    caption=f"{TITLES[one.condition]}, no label",
                )
                for one in exemplars
            ],
            5,
        ),
        table(
            ("", "streets", "weather", "labels"),
            [
                ("To train on", str(len(cast.contents)), "day", "yes"),
                ("To choose by (validation)", str(len(cast.validation)), "day", "yes"),
                ("Exemplars: what styles are taken from", str(len(cast.exemplars)), "5 kinds", "none"),
                ("Frames of the targets, for proxy sets", str(len(cast.targets)), "5 kinds", "none"),
                ("To test with", f"{len(cast.tests)} in each", "5 kinds", "only to measure"),
            ],
            numeric=False,
        ),
        text(
            "Rendered streets stand in for real frames here because only they can be had in two kinds of weather, and "
            "so can tell whether a result is right. No street is in two rows of the table. ",
            code("stylize doctor"),
            f" has found {found} with the labelled ones.",
        ),
        typed(*story.commands.of("render"), *story.commands.of("doctor")),
        lead=f"Labelled streets by day, and a few pictures of other streets without labels: {PER_CONDITION} each at "
        "dusk, at night, in fog, in rain and in snow.",
        name="streets",
    )


def _method(story: Story) -> Html:
    """Show the steps of one picture."""
    pair = story.showcase()[0]
    content, exemplar = (decode_rgb(story.storage.read(path)) for path in (pair.content, exemplar_path(pair)))
    bundle = load_bundle(story.commands.model, device="cpu")
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
                Shown(picture=fitted(content, SMALL), caption="1. Content: its noise maps hold the scene"),
                Shown(picture=fitted(exemplar, SMALL), caption="2. Exemplar: its codes hold the style"),
                Shown(picture=own, caption=f"3. The model draws the content from its own codes ({frame})"),
                Shown(picture=styled, caption="4. … and from the exemplar's codes"),
                Shown(picture=story.picture(pair.result, SMALL), caption="5. The change, at full size", mark="result"),
            ],
            5,
        ),
        text(
            "An encoder turns each picture, once, into what a small generator draws it from: maps that say what is "
            "where, and codes that say how it looks (",
            code("stylize invert"),
            "). Exchanging the codes gives the same scene in another style (",
            code("stylize mix"),
            "). From 3 to 4 only the style changes, and what the small model gets wrong is wrong in both. So the "
            "change is fitted by a smooth colour map that keeps to edges, and applied to the content at its full size: "
            f"{content.shape[0]} x {content.shape[1]} here, any size on your own frames. What no change of colour "
            "brings is carried over apart: haze that thickens with distance, clouds, blur, noise, and what falls.",
        ),
        typed(*story.commands.of("invert")),
        lead="Nothing of the exemplar's scene gets into the result, and nothing of the content moves.",
        name="how",
    )


def _cost(story: Story) -> Html:
    cache = story.caches[0]
    worked = story.processor
    stages = {
        name: (story.seconds[name], f"{spell(story.seconds[name])} ({spell(worked.get(name, 0.0))})")
        for name in STAGES
        if name in story.seconds
    }
    lost = cache.mean("psnr_fp32") - cache.mean("psnr")
    raw, stored = cache.figures.get("raw_bytes", 0) / max(1, cache.rows), cache.bytes / max(1, cache.rows)
    return section(
        PARTS["cost"],
        bars(stages),
        text(
            f"By the clock, and in brackets the work of all processor cores: {spell(sum(worked.values()))} in all. "
            "Rendering, measuring against the truth and training the networks are for the demo alone; on your own "
            "frames there is invert and mix."
        ),
        text(
            f"A picture in the cache takes {size(stored)} instead of {size(raw)} as raw fp32; storing it that small "
            f"costs {'less than 0.001' if lost < 0.001 else f'{lost:.3f}'} dB of PSNR. The model reconstructs the "
            f"streets with {cache.mean('psnr'):.1f} dB on average."
        ),
        name="cost",
    )


def _own() -> Html:
    return section(
        "The same with your own frames",
        commands(
            "# look at the dataset first: CamVid, Cityscapes, ACDC, BDD100K or plain folders",
            "stylize doctor ~/data/frames",
            "# every picture once; exemplars need no labels, a folder of photographs will do",
            "stylize invert ~/data/frames frames-cache",
            "stylize invert ~/photos/night night-cache",
            "# a labelled dataset with the same folders and file names, in the style of the exemplars",
            "stylize mix frames-cache frames-at-night --styles night-cache --per-image 4 --weather 1",
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
        text(
            "Given in this demo's folder, the commands of the parts above find everything done. ",
            code(STYLIZED),
            " is a dataset that a trainer reads as it is.",
        ),
        name="own",
    )


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f} min" if seconds >= 60 else spell(seconds)
