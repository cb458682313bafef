"""What the picture of a proxy ranking shows: the ladder of models, and how proxies and source foretell real scores."""

from __future__ import annotations

from pipelines.proxyresult import ProxyRanking, Ranked
from stylize import rankplot
from stylize.agreement import Agreement, Estimate
from stylize.rankplot import Interval, Row, Scatter
from stylize.spelling import count

_NAMED = 4  # targets that fit into the title


def draw(ranking: ProxyRanking) -> bytes:
    """Return the SVG file of a ranking."""
    rows = [
        Row(
            model=one.model,
            rank=one.rank,
            score=(one.score, one.low, one.high),
            targets={name: ranked.score(one.model) for name, ranked in ranking.targets.items()},
        )
        for one in ranking.average.standings
    ]
    models, targets = count(len(rows), "model"), ", ".join(ranking.targets)
    if len(ranking.targets) > _NAMED:
        targets = count(len(ranking.targets), "target")
    contents = count(ranking.average.contents, "content")
    lines = f"Lines: {100 * ranking.confidence:g} % intervals over {contents}."
    subtitle = f"{lines} Bands: rank groups, each tied with its first model."
    return rankplot.draw(f"{models} on proxies of {targets}", subtitle, rows, _scatters(ranking))


def _scatters(ranking: ProxyRanking) -> list[Scatter]:
    truth = ranking.real_average
    if truth is None:
        return []
    found = []
    if agreement := ranking.agreements.get(""):
        found.append(_scatter("By proxy sets", "proxy mean IoU, %", ranking, ranking.average, truth, agreement))
    if ranking.source is not None and ranking.source_agreement is not None:
        by_source = "source mean IoU, %"
        found.append(
            _scatter("By source validation", by_source, ranking, ranking.source, truth, ranking.source_agreement)
        )
    return found


def _scatter(
    title: str, across: str, ranking: ProxyRanking, judge: Ranked, truth: Ranked, agreement: Agreement
) -> Scatter:
    points = [
        (number, _interval(judge, one.model), _interval(truth, one.model))
        for number, one in enumerate(ranking.average.standings, 1)
    ]
    regret = f"chooses {agreement.chosen}: {100 * agreement.regret.value:.1f} points below the best"
    remarks = [
        f"Spearman {_estimate(agreement.spearman)}",
        f"Kendall {_estimate(agreement.kendall)}, Pearson {_estimate(agreement.pearson)}",
        f"{regret}, {agreement.best}" if agreement.chosen != agreement.best else f"chooses {agreement.best}, the best",
        f"In brackets: {100 * ranking.confidence:g} % intervals over models.",
    ]
    return Scatter(title=title, across=across, up="real mean IoU, %", points=points, remarks=remarks)


def _interval(ranked: Ranked, model: str) -> Interval:
    standing = next(one for one in ranked.standings if one.model == model)
    return standing.score, standing.low, standing.high


def _estimate(estimate: Estimate) -> str:
    low, high = estimate.models
    return f"{estimate.value:.2f} ({low:.2f} to {high:.2f})"
