"""What came out of the demo, for its page: copies against their contents, and against the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines import provenance
from pipelines.demonetworks import INTRA
from pipelines.demoscenes import DAY, KINDS
from pipelines.demostory import SMALL, TITLES, Story, exemplar_path, typed
from pipelines.demotruth import Pair
from stylize.charts import dumbbells
from stylize.markup import Child, Html
from stylize.reporting import Shown, code, folded, section, subtitle, table, text
from stylize.storage import Storage
from stylize.truth import Verdict, by_condition, judge
from stylize.wipes import Wipe, wipes

LEAST = 2  # pairs shown that gained least
SIDES = ("Stylized", "True weather")


def results(story: Story) -> Html:
    """Return the section with copies in every kind of weather, and one within the day."""
    chosen = [pair for kind in KINDS for pair in story.of_condition(kind)[:1]]
    cards = [_card(story, pair) for pair in chosen]
    return section(
        "What came out",
        wipes([*cards, _intra(story)], ("By day", "Stylized"), columns=2),
        text(
            "The first five take their exemplar from elsewhere (",
            code("--styles"),
            "), for weather that the dataset has never seen. The last takes it from the same dataset, which spreads "
            "what little variety of light there is. All have their label beside them, copied byte for byte.",
        ),
        typed(*story.commands.of("mix"), *story.commands.of("verify")),
        lead="Drag the line. Of every kind of weather this is the copy with the median gain towards the truth, so "
        "neither the best nor the worst.",
        name="results",
    )


def _card(story: Story, pair: Pair) -> Wipe:
    comparison, name = story.of(pair), pair.exemplar.condition
    return Wipe(
        left=Shown(picture=story.picture(pair.content), alt=f"street {pair.scene} by day"),
        right=Shown(picture=story.picture(pair.result), alt=f"street {pair.scene} in the style of {name}"),
        caption=f"{TITLES[name]}: street {pair.scene} in the style of street {pair.exemplar.scene}",
        beside=[Shown(picture=story.picture(exemplar_path(pair), SMALL), caption="Exemplar", alt=f"exemplar, {name}")],
        facts=[("PSNR to the true weather", f"{comparison.content_low:.1f} → {comparison.result_low:.1f} dB")],
    )


def _intra(story: Story) -> Wipe:
    """Compare a content with its copy in the style of another street of the same dataset."""
    row = _most_moved(story.storage, INTRA)
    return Wipe(
        left=Shown(picture=story.picture(f"{DAY}/{row['content_source']}"), alt=f"content {row['content']}"),
        right=Shown(picture=story.picture(f"{INTRA}/{row['image']}"), alt=f"result {row['image']}"),
        caption="Within the day: the copy that moved most in the style of another street by day",
        beside=[
            Shown(
                picture=story.picture(f"{DAY}/{row['exemplar_source']}", SMALL),
                caption="Exemplar",
                alt=f"exemplar {row['exemplar']}",
            )
        ],
        facts=[("moved by", f"{row['shift']:.0f} of 255 grey levels")],
    )


def truth(story: Story) -> Html:
    """Return the section that holds copies against the truth."""
    verdicts = by_condition(story.comparisons.values())
    everything = judge(story.comparisons.values())
    ordered = [name for name in KINDS if name in verdicts]
    lines = [
        (
            TITLES[name],
            verdicts[name].content_low,
            verdicts[name].result_low,
            f"{verdicts[name].closer_low:.0%} of {verdicts[name].pairs} nearer",
        )
        for name in ordered
    ]
    body = [_line(TITLES[name], verdicts[name]) for name in ordered]
    least = sorted(story.pairs, key=story.gain)[:LEAST]
    typical = [pair for kind in ("night", "fog") for pair in story.of_condition(kind)[:1]]
    return section(
        "Is it right?",
        dumbbells(lines, "dB", ("content as it was", "stylized result")),
        text(
            "PSNR says how near two pictures are; 6 dB more is half the difference. It is taken here after a blur of a "
            "24th of the height, so that it means light and colour by region."
        ),
        folded(
            "The figures, also without the blur",
            table(
                ("", "pairs", "nearer", "nearer, blurred", "PSNR", "PSNR, blurred"), [*body, _line("All", everything)]
            ),
            text(
                "Without the blur every pixel counts: flakes and streaks in their very places, puddles, lit lamps and "
                "the snow on the ground, which no change of colours can bring."
            ),
        ),
        wipes([_against_truth(story, pair) for pair in typical], SIDES, columns=2),
        subtitle("Where it works least"),
        text(f"Of all {len(story.pairs)} pairs that were measured, these gained least."),
        wipes([_against_truth(story, pair) for pair in least], SIDES, columns=2),
        lead="Real frames cannot tell what a street would look like in the exemplar's weather; rendered ones can. The "
        f"copies of {len({pair.scene for pair in story.pairs})} streets are held against the same street rendered in "
        "exactly the light and weather of the exemplar, which neither model nor pipeline has seen.",
        name="truth",
    )


def _against_truth(story: Story, pair: Pair) -> Wipe:
    comparison = story.of(pair)
    return Wipe(
        left=Shown(picture=story.picture(pair.result), alt=f"street {pair.scene}, stylized"),
        right=Shown(picture=story.picture(pair.true.path), alt=f"street {pair.scene} in true weather"),
        caption=f"{TITLES[pair.exemplar.condition]}: street {pair.scene}",
        beside=[
            Shown(picture=story.picture(pair.content, SMALL), caption="By day", alt=f"street {pair.scene} by day"),
            Shown(picture=story.picture(exemplar_path(pair), SMALL), caption="Exemplar", alt="its exemplar"),
        ],
        facts=[
            ("by day", f"{comparison.content_low:.1f} dB"),
            ("stylized", f"{comparison.result_low:.1f} dB"),
        ],
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


def _most_moved(storage: Storage, run: str) -> Mapping[str, Any]:
    """Return the row of a mix whose copy moved most."""
    files = (provenance.read_rows(storage.read(path)) for path in storage.list(f"{run}/provenance"))
    return max((row for rows in files for row in rows), key=lambda row: (row["shift"], row["image"]))
