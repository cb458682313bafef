"""`stylize demo`: the whole story on bundled weights, from nothing to a report."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, ClassVar

import click

from cli import options

if TYPE_CHECKING:
    from pipelines.demo import DemoSummary
    from pipelines.events import Event, OnEvent


@options.command(
    "demo", "stylize demo", "stylize demo elsewhere --scenes 20 --seed 100", "stylize demo tiny --size 96x128"
)
@click.argument("out", metavar="[OUT]", default="demo", required=False)
@click.option(
    "--scenes",
    metavar="N",
    type=click.IntRange(1),
    default=40,
    show_default=True,
    help="Labelled streets by day to train on.",
)
@click.option(
    "--size", type=options.Size(), metavar="HxW", default="288x384", show_default=True, help="Size of the pictures."
)
@click.option(
    "--steps",
    metavar="N",
    type=click.IntRange(1),
    default=240,
    show_default=True,
    help="Of training each segmentation network.",
)
@click.option(
    "--model",
    metavar="BUNDLE",
    default="streets",
    show_default=True,
    help="Model bundle: a bundled name, a path or a URL.",
)
@click.option("--seed", metavar="N", type=click.IntRange(0), default=0, show_default=True, help="Which streets.")
@options.overwrite
def command(out: str, scenes: int, size: tuple[int, int], steps: int, model: str, seed: int, overwrite: bool) -> None:
    """Run the whole story on rendered streets, from doctor to report.

    Streets by day take the style of others at dusk, at night, in fog, rain and snow. Small segmentation networks are
    trained with and without these copies, tested in weather that no training label showed, and ranked by proxy sets.
    Each stage prints the command for it. OUT is the folder `demo` unless named; the same command again goes on where it
    was.
    """
    from pipelines.demo import demo

    height, width = size
    with ExitStack() as meters:
        tell = _Stages(meters)
        summary = demo(
            out,
            seed=seed,
            scenes=scenes,
            height=height,
            width=width,
            steps=steps,
            model=model,
            overwrite=overwrite,
            on_event=tell,
        )
    for line in describe(summary):
        click.echo(line)


class _Stages:
    """Gives every stage a meter of its own, so that its lines and bars stand below its title."""

    NOUNS: ClassVar = {"train": "steps"}  # what is counted, where it is no pictures

    def __init__(self, meters: ExitStack) -> None:
        self._meters = meters
        self._listener: OnEvent | None = None

    def __call__(self, event: Event) -> None:
        from cli.console import listening
        from pipelines.events import StageStarted

        if self._listener is None or isinstance(event, StageStarted):
            self._meters.close()
            stage = event.text.partition(":")[0] if isinstance(event, StageStarted) else ""
            self._listener = self._meters.enter_context(listening(self.NOUNS.get(stage, "images")))
        self._listener(event)


def describe(summary: DemoSummary) -> list[str]:
    """Return what the demo came to, in lines for people."""
    from cli.console import spell
    from cli.summaries import count

    made = f"{count(summary.pictures, 'picture')} of {count(summary.contents, 'street')} by day"
    agreement = summary.ranking.agreements[""]
    nearer = f"{100 * summary.verdict.closer_low:.0f} % of {count(summary.verdict.pairs, 'pair')}"
    lost = f"{100 * agreement.regret.value:.1f} points below the best"
    return [
        f"{summary.url}: {made} in the style of {count(summary.exemplars, 'exemplar')}, in {spell(summary.elapsed)}",
        f"  reconstruction {summary.psnr:.2f} dB PSNR on average",
        f"  nearer to the true render than the street by day, blurred: {nearer}",
        "  mean IoU in weather that no training label showed, by day alone and with stylized copies:",
        f"    {_scores(summary.before, summary.after)}",
        f"  proxy sets choose {agreement.chosen} of {count(agreement.models, 'network')}, "
        + ("the best in truth" if agreement.chosen == agreement.best else f"{lost}, {agreement.best}"),
        f"report: {summary.report}",
    ]


def _scores(before: Mapping[str, float], after: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {100 * before[name]:.1f} to {100 * after[name]:.1f}" for name in before)
