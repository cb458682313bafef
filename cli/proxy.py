"""`stylize proxy`: validation sets for domains without labels, and models ranked by them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from cli import evaluate, mix, options

if TYPE_CHECKING:
    from pipelines.proxyresult import ProxyRanking
    from stylize.agreement import Agreement, Estimate


def named(option: str, metavar: str, help: str, *, required: bool = False) -> Callable[[options.F], options.F]:
    """Make an option that is given once per name, as NAME=PLACE, and arrives as a mapping (None when not given)."""

    def collect(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, str] | None:
        found: dict[str, str] = {}
        for value in values:
            name, equals, place = value.partition("=")
            if not name or not equals or not place:
                raise click.BadParameter(f"{value!r} is not {metavar}", ctx, param)
            if found.setdefault(name, place) != place:
                raise click.BadParameter(f"{name} is given twice", ctx, param)
        return found or None

    return click.option(option, metavar=metavar, multiple=True, required=required, callback=collect, help=help)


@click.group(
    "proxy",
    cls=options.Group,
    epilog="\b\nExamples:\n  stylize proxy build val-cache proxy --styles dusk=dusk-cache",
)
def command() -> None:
    """Choose among models for a domain without labels: build proxy sets, then rank the models by them.

    A proxy set is the labelled validation set of the source in the look of the target.
    """


@options.command(
    "build",
    "stylize proxy build val-cache proxy --styles dusk=dusk-cache --styles fog=fog-cache",
    "stylize proxy build cache proxy --split val --styles snow=one-photograph-cache --per-image 2",
)
@click.argument("cache", metavar="CACHE")
@click.argument("out", metavar="OUT")
@named("--styles", "NAME=CACHE2", "A target and the cache of its exemplars; give it once per target.", required=True)
@options.moved("--dataset", "the cache's dataset")
@options.moved("--model", "the caches' model bundle", "BUNDLE")
@options.split
@options.limit
@mix.per_image
@mix.style
@mix.weather(1.0)
@click.option(
    "--min-content-score",
    metavar="X",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="Draw copies that show less of their scene (0-1) again with other exemplars, at the cost of evenness. 0: off.",
)
@mix.size
@options.seed
@options.batch_size(8)
@options.session
def build(cache: str, out: str, **more: Any) -> int:
    """Write a labelled proxy set per target into OUT/NAME.

    CACHE is the inverted validation set with its labels; each CACHE2 holds exemplars of a target, one or more, without
    labels. Every exemplar of a target is used equally often. Each OUT/NAME is what `mix` writes: `status`, `verify` and
    `report` know it. The same command goes on after an interruption; other names add targets.
    """
    from cli.console import listening
    from cli.summaries import count, failures
    from pipelines.proxy import describe, proxy_build

    with listening() as tell:
        summary = proxy_build(cache, out, on_event=tell, **more)
    click.echo(f"{summary.url}: {count(len(summary.targets), 'proxy set')}")
    for line in (*describe(summary), *(line for one in summary.targets.values() for line in failures(one))):
        click.echo(f"  {line}")
    usage = f"stylize proxy rank {out} --predictions MODEL=DIR"
    click.echo(f"next: predict the pictures in {summary.url}/NAME with each model, then {usage}")
    return summary.exit_code


@options.command(
    "rank",
    "stylize proxy rank proxy --predictions small=out/small --predictions large=out/large --plot ranking.svg",
    "stylize proxy rank proxy --predictions a=out/a --predictions b=out/b --source-scores val.csv",
    "stylize proxy rank proxy --predictions a=out/a --predictions b=out/b --real fog=~/data/acdc --real-split val "
    "--real-predictions a=acdc/a --real-predictions b=acdc/b --json ranking.json",
)
@click.argument("proxy", metavar="PROXY")
@named(
    "--predictions",
    "MODEL=DIR",
    "A model and the folder of its label pictures, in DIR/NAME per target; give it once per model.",
    required=True,
)
@named("--real", "NAME=DATASET", "A labelled dataset of a real target, to see whether the proxies tell the truth.")
@named("--real-predictions", "MODEL=DIR", "A model's label pictures of the real targets, in DIR/NAME each.")
@click.option("--real-split", metavar="NAME", help="Take only this split of the real datasets.  [default: all]")
@click.option(
    "--real-label-mapping",
    metavar="MAPPING",
    help="From the ids of the real labels to the classes of the proxies.  [default: by the dataset]",
)
@click.option(
    "--real-scores",
    metavar="FILE",
    help="Instead, real scores from a JSON file {model: score} or {model: {name: score}}, or a CSV file with the "
    "columns model and one per target.",
)
@click.option("--source", metavar="DATASET", help="The labelled source, to compare with choosing by its scores.")
@named("--source-predictions", "MODEL=DIR", "A model's label pictures of the source, in DIR itself.")
@click.option("--source-split", metavar="NAME", help="Take only this split of the source.  [default: all]")
@click.option("--source-scores", metavar="FILE", help="Instead, source scores from such a JSON or CSV file.")
@evaluate.reading
@click.option(
    "--resamples",
    metavar="N",
    type=click.IntRange(100),
    default=2000,
    show_default=True,
    help="Bootstrap resamples of the contents.",
)
@click.option(
    "--confidence",
    metavar="SHARE",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.95,
    show_default=True,
    help="Of all intervals.",
)
@options.seed
@evaluate.json_file
@click.option("--csv", metavar="FILE", help="Write a table of one row per model and target to this file or URL.")
@click.option("--plot", metavar="FILE", help="Write a picture of the ranking to this SVG file or URL.")
@options.storage_options
def rank(proxy: str, **more: Any) -> None:
    """Rank models by mean IoU on the proxy sets in PROXY.

    Models are tied, and share a rank, when the bootstrap over contents cannot tell them from the first of their group.
    With real labels or scores it also says how well the proxies foretell them: rank correlations, and the regret of
    taking the model that they choose.
    """
    from cli.console import listening
    from pipelines.proxyrank import proxy_rank

    with listening() as tell:
        ranking = proxy_rank(proxy, on_event=tell, **more)
    for line in _lines(ranking):
        click.echo(line)


command.add_command(build)
command.add_command(rank)


def _lines(ranking: ProxyRanking) -> Iterator[str]:
    from cli.summaries import count

    contents = ranking.average.contents
    models = count(len(ranking.models), "model")
    yield f"{ranking.url}: {models} on proxies of {', '.join(ranking.targets)}, {count(contents, 'content')}"
    columns = {name: one.score for name, one in ranking.targets.items() if len(ranking.targets) > 1}
    if ranking.real_average is not None:
        columns["real"] = ranking.real_average.score
    if ranking.source is not None:
        columns["source"] = ranking.source.score
    width = max(5, *(len(model) for model in ranking.models))
    titles = "".join(f"  {title:>6}" for title in columns)
    yield f"  rank  {'model':{width}}    mIoU  interval    {titles}"
    for one in ranking.average.standings:
        cells = "".join(f"  {100 * score(one.model):{max(6, len(title))}.1f}" for title, score in columns.items())
        yield f"  {one.rank:4}  {one.model:{width}}  {100 * one.score:6.1f}  {_span(one.low, one.high):12}{cells}"
    yield from _ties(ranking)
    if "" in ranking.agreements:
        yield from _agreement("real scores and proxies", ranking.agreements[""])
    for name, agreement in ranking.agreements.items():
        if name and len(ranking.targets) > 1:
            yield from _agreement(f"real scores and proxies of {name} alone", agreement)
    if ranking.source_agreement is not None:
        yield from _agreement("real scores and source", ranking.source_agreement)
    if ranking.lead is not None:
        yield f"  Spearman gained over the source's ranking: {_estimate(ranking.lead)}"


def _ties(ranking: ProxyRanking) -> Iterator[str]:
    """Name the ties; those across rank groups too, since being tied does not carry over from one model to the next."""
    ranks = {one.model: one.rank for one in ranking.average.standings}
    for one in ranking.average.standings:
        later = [other for other in one.tied if ranks[other] > one.rank]
        within = [other for other in one.tied if ranks[other] == one.rank]
        if within and one.model == next(model for model, rank in ranks.items() if rank == one.rank):
            yield f"  tied: {', '.join([one.model, *within])}"
        if later:
            yield f"  {one.model} cannot be told from {', '.join(later)}"


def _agreement(title: str, agreement: Agreement) -> Iterator[str]:
    regret = agreement.regret
    yield f"  {title}, {agreement.models} models: Spearman {_estimate(agreement.spearman)}"
    yield f"    Kendall tau-b {_estimate(agreement.kendall)}, Pearson {_estimate(agreement.pearson)}"
    best = "which is the best" if agreement.chosen == agreement.best else f"the best is {agreement.best}"
    span = "" if math.isnan(regret.pictures[0]) else f" ({_span(*regret.pictures)} over pictures)"
    yield f"    regret of choosing {agreement.chosen}: {100 * regret.value:.1f} points{span}; {best}"


def _estimate(estimate: Estimate) -> str:
    return f"{estimate.value:.2f} ({estimate.models[0]:.2f} to {estimate.models[1]:.2f} over models)"


def _span(low: float, high: float) -> str:
    return "" if math.isnan(low) else f"{100 * low:.1f}-{100 * high:.1f}"
