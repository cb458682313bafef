"""What the demo's networks learnt, for its page: with and without copies by condition, and ranked by proxy sets."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from pipelines.democommands import PLOT, PROXY
from pipelines.demonetworks import AFTER, ARMS, BEFORE, PREDICTIONS, named, streets
from pipelines.demoscenes import DAY, KINDS, TARGETS, TEST, TEST_SPLIT, VAL, label_of, picture_name
from pipelines.demostory import SMALL, TITLES, Story, day_picture, legend, percent, points, typed
from pipelines.proxyresult import ProxyRanking, Ranked
from stylize.agreement import Agreement
from stylize.charts import dumbbells
from stylize.errors import StylizeError
from stylize.markup import Child, Html, tag
from stylize.models.segmenter import weights_in
from stylize.ranking import interval
from stylize.reporting import Shown, code, folded, rows, section, subtitle, table, text
from stylize.scatter import Point, scatter, side_by_side
from stylize.spelling import count
from stylize.wipes import Wipe, wipes

PROXIES_SHOWN = ("night", "fog")
PAIR = (BEFORE, AFTER)


def overall(story: Story) -> tuple[float, float]:
    """Return the mean IoU in unseen weather of the network without and of that with copies."""
    truth = _truth(story.ranking)
    return truth.score(BEFORE.name), truth.score(AFTER.name)


def training(story: Story) -> Html:
    """Return the section on what copies do for a network."""
    ranking, cast, typing = story.ranking, story.cast, story.commands
    judged = [("By day", ranking.source), *((TITLES[kind], ranking.real[kind]) for kind in KINDS)]
    shown = [(name, ranked) for name, ranked in judged if ranked is not None]
    lines = [
        (name, 100 * ranked.score(BEFORE.name), 100 * ranked.score(AFTER.name), f"{points(_gain(ranked)[0])} points")
        for name, ranked in shown
    ]
    weights = weights_in(BEFORE.start(len(streets()), 0))
    return section(
        "Does it help?",
        dumbbells(lines, "%", ("trained on the day alone", "and on stylized copies")),
        text(_verdict(ranking)),
        text(
            "Mean IoU: of the pixels that belong to a class or are taken for it, the share that is both; averaged over "
            f"the {len(ranking.classes)} classes. 100 % is perfect."
        ),
        folded("The figures, with their 95 % intervals", _figures(shown)),
        folded("By class, over all five kinds of weather", _by_class(ranking)),
        subtitle("What the two networks see"),
        text("Always the first of the test streets; by day, the first validation street."),
        wipes([_seen(story, kind) for kind in ("day", *KINDS)], ("Day alone", "With copies"), columns=2),
        legend(),
        typed(*typing.of("train"), *typing.of("predict"), *(typing.score(arm.name, "night") for arm in PAIR)),
        lead=f"Two networks of {weights / 1e6:.2f} million weights, alike in all but their pictures. One was trained "
        f"on the {len(cast.contents)} labelled streets by day. The other saw a stylized copy every second time, out of "
        f"{story.mixed.rows}. Both took {count(story.steps, 'step')} from random weights, so the level is low; the "
        f"difference counts. The tests are {len(cast.tests)} other streets in each weather, whose labels nobody "
        "trained on.",
        name="training",
    )


def choosing(story: Story) -> Html:
    """Return the section on proxy sets."""
    ranking = story.ranking
    truth, agreement = _truth(ranking), ranking.agreements[""]
    numbers = {one.model: place for place, one in enumerate(ranking.average.standings, 1)}
    charts = []
    if ranking.source is not None and ranking.source_agreement is not None:
        chart = _scatter(numbers, ranking.source, truth, "mean IoU on the validation streets by day, %")
        charts.append(("Choosing by day", chart, _judged(ranking.source_agreement)))
    chart = _scatter(numbers, ranking.average, truth, "mean IoU on the proxy sets, %")
    charts.append(("Choosing by proxy sets", chart, _judged(agreement)))
    return section(
        "Choosing a network",
        subtitle("What a proxy set looks like"),
        rows(("Validation street", "Frame of the target", "Proxy"), [_proxy(story, kind) for kind in PROXIES_SHOWN]),
        side_by_side(charts),
        table(
            ("network", "by day", "on proxies", "in truth"),
            [_standing(numbers[name], name, ranking) for name in numbers],
        ),
        tag("ul", *(tag("li", code(name), f": {named()[name].words}") for name in numbers)),
        text(
            "The numbers are the networks in the order of the proxy sets. Up is better in truth, to the right is what "
            "one would choose by: points on a rising line are a judge to trust. Spearman's coefficient says how alike "
            "two orders are: 1 the same, 0 unrelated, \u22121 reversed. ",
            f"{count(agreement.models, 'network').capitalize()} are few, so its interval is wide. The plot that ",
            code("stylize proxy rank"),
            " draws, with intervals over the streets, is in ",
            code(PLOT),
            ".",
        ),
        typed(*story.commands.of("proxies"), story.commands.rank()),
        lead="Where nothing is labelled, no network can be measured, and the one that is best by day may not be the "
        f"best in fog. A proxy set is the labelled validation set in the look of a target, of which "
        f"{count(len(story.cast.targets) // len(KINDS), 'unlabelled frame')} were given here, from streets that no "
        f"network met. {count(len(ARMS), 'small network').capitalize()} are ranked by it, and then by true weather.",
        name="choosing",
    )


def _truth(ranking: ProxyRanking) -> Ranked:
    if ranking.real_average is None:
        raise StylizeError("the networks were not tested in true weather: run the demo again")
    return ranking.real_average


def _figures(judged: Sequence[tuple[str, Ranked]]) -> Html:
    lines: list[Sequence[Child]] = []
    for name, ranked in judged:
        gain, (low, high) = _gain(ranked)
        before, after = (percent(ranked.score(arm.name)) for arm in PAIR)
        lines.append((name, before, after, points(gain), f"{points(low)} to {points(high)}"))
    return table(("mean IoU", "day alone", "with copies", "points", "interval over streets"), lines)


def _gain(ranked: Ranked) -> tuple[float, tuple[float, float]]:
    """Return how much higher the network with copies scores, and the interval of that over the same resamples."""
    scores = ranked.scores
    before, after = (scores.models.index(arm.name) for arm in PAIR)
    resampled = scores.resampled_RM[:, after] - scores.resampled_RM[:, before]
    return float(scores.mean_M[after] - scores.mean_M[before]), interval(resampled)


def _verdict(ranking: ProxyRanking) -> str:
    """Say in words what came out, whatever it is."""
    gains = {kind: _gain(ranking.real[kind]) for kind in KINDS}
    better = [kind for kind, (_, (low, _)) in gains.items() if low > 0]
    worse = [kind for kind, (_, (_, high)) in gains.items() if high < 0]
    open_ = [kind for kind in KINDS if kind not in better and kind not in worse]
    truth = _truth(ranking)
    before, after = truth.score(BEFORE.name), truth.score(AFTER.name)
    change = f"{percent(before)} to {percent(after)}, that is {points(after - before)} points"
    parts = [f"Over all five, the copies change {change}."]
    if better:
        parts.append(f"Clearly better {_list(better)}.")
    if worse:
        parts.append(f"Clearly worse {_list(worse)}.")
    if open_:
        parts.append(f"Not to be told apart {_list(open_)}.")
    if ranking.source is not None:
        gain, (low, high) = _gain(ranking.source)
        sure = "which may be chance" if low <= 0 <= high else "which is no chance of the streets"
        parts.append(f"By day, where both are at home, it is {points(gain)} points, {sure}.")
    return " ".join(parts)


def _list(kinds: Sequence[str]) -> str:
    *first, last = [TITLES[kind].lower() for kind in kinds]
    return f"{', '.join(first)} and {last}" if first else last


def _seen(story: Story, kind: str) -> Wipe:
    """Compare the label pictures of both networks; by day on a validation street."""
    if kind == "day":
        scene, dataset, name = story.cast.validation[0], DAY, VAL
        picture = f"{VAL}/{picture_name(scene, kind)}"
    else:
        scene, dataset, name = story.cast.tests[0], f"{TEST}/{kind}", f"test/{kind}"
        picture = f"{TEST_SPLIT}/{picture_name(scene, kind)}"
    left, right = (story.label(f"{PREDICTIONS}/{arm.name}/{name}/{picture}") for arm in PAIR)
    street, true = f"{dataset}/{picture}", f"{dataset}/{label_of(picture)}"
    return Wipe(
        left=Shown(picture=left, alt=f"what the network of the day sees, {kind}"),
        right=Shown(picture=right, alt=f"what the network with copies sees, {kind}"),
        caption=f"{TITLES.get(kind, 'By day')}: street {scene}",
        beside=[
            Shown(picture=story.picture(street, SMALL), caption="The street", alt=f"street, {kind}"),
            Shown(picture=story.label(true, SMALL), caption="Its label", alt=f"label of the street, {kind}"),
        ],
    )


def _by_class(ranking: ProxyRanking) -> Html:
    truth = _truth(ranking)
    before, after = (truth.by_class(arm.name, ranking.classes) for arm in PAIR)
    lines: list[Sequence[Child]] = [
        (name.replace("_", " "), _share(before[name]), _share(after[name]), _change(before[name], after[name]))
        for name in ranking.classes
    ]
    return table(("IoU", "day alone", "with copies", "points"), lines)


def _share(value: float) -> str:
    return percent(value) if math.isfinite(value) else "none"


def _change(before: float, after: float) -> str:
    return points(after - before) if np.isfinite([before, after]).all() else ""


def _proxy(story: Story, kind: str) -> tuple[Shown, ...]:
    """Show a validation street, a frame of the target, and the street in its look."""
    scene = story.cast.validation[0]
    day = day_picture(scene, VAL)
    target = next(one for one in story.cast.targets if one.condition == kind)
    proxy = f"{PROXY}/{kind}/{day.removeprefix(f'{DAY}/')}"
    return (
        Shown(picture=story.picture(day), caption="by day, labelled"),
        Shown(picture=story.picture(f"{TARGETS}/{target.source}"), caption=f"{TITLES[kind].lower()}, no label"),
        Shown(picture=story.picture(proxy), caption="the street in that look, with its label", mark="result"),
    )


def _scatter(numbers: Mapping[str, int], judge: Ranked, truth: Ranked, across: str) -> Html:
    found = [
        Point(number=number, name=name, x=judge.score(name), y=truth.score(name), marked=name == AFTER.name)
        for name, number in numbers.items()
    ]
    return scatter(found, across, "mean IoU in true weather, %", f"{across} against the truth, for each network")


def _judged(agreement: Agreement) -> str:
    low, high = agreement.spearman.models
    chosen = (
        f"It chooses {agreement.chosen}, which is the best in truth."
        if agreement.chosen == agreement.best
        else f"It chooses {agreement.chosen}, in truth {100 * agreement.regret.value:.1f} points below the best, "
        f"{agreement.best}."
    )
    return f"Spearman {_signed(agreement.spearman.value)} ({_signed(low)} to {_signed(high)}). {chosen}"


def _standing(number: int, name: str, ranking: ProxyRanking) -> Sequence[Child]:
    standing = next(one for one in ranking.average.standings if one.model == name)
    by_day = "" if ranking.source is None else percent(ranking.source.score(name))
    true = percent(_truth(ranking).score(name))
    return tag("span", f"{number} ", code(name), class_="whole"), by_day, percent(standing.score), true


def _signed(value: float) -> str:
    return f"{value:.2f}".replace("-", "\u2212")
