"""`stylize demo` ends in figures and the place of the report."""

from __future__ import annotations

import numpy as np

from cli.demo import describe
from pipelines.demo import DemoSummary
from pipelines.proxyresult import ProxyRanking, Ranked
from stylize.agreement import agree
from stylize.ranking import Scores, known, rank
from stylize.truth import Verdict

VERDICT = Verdict(pairs=40, closer=0.95, closer_low=1.0, content=11.5, content_low=12.5, result=17.5, result_low=20.5)


def scores(**by_model: float) -> Scores:
    return known(by_model)


def ranked(**by_model: float) -> Ranked:
    return Ranked(scores=scores(**by_model), standings=rank(scores(**by_model)))


def summary(*, extra_on_proxies: float) -> DemoSummary:
    proxies, truth = ranked(day=0.2, extra=extra_on_proxies), ranked(day=0.21, extra=0.304)
    ranking = ProxyRanking(
        url="/demo/proxy",
        label_set="classes",
        classes=("road",),
        models=("day", "extra"),
        confidence=0.95,
        resamples=100,
        targets={"night": proxies},
        average=proxies,
        real={"night": truth, "fog": ranked(day=0.1, extra=0.25)},
        real_average=truth,
        source=None,
        agreements={"": agree(proxies.scores, truth.scores, resamples=100)},
        source_agreement=None,
        lead=None,
    )
    return DemoSummary(
        url="/demo",
        report="/demo/report.html",
        contents=40,
        exemplars=10,
        pictures=200,
        psnr=26.04,
        verdict=VERDICT,
        conditions={"night": VERDICT},
        ranking=ranking,
        seconds={"render": 10.0},
        processor={"render": 9.0},
        elapsed=161.0,
    )


def test_the_summary_tells_before_and_after_and_names_the_report() -> None:
    with np.errstate(all="raise"):
        lines = describe(summary(extra_on_proxies=0.3))
    assert lines == [
        "/demo: 200 pictures of 40 streets by day in the style of 10 exemplars, in 2 min 41 s",
        "  reconstruction 26.04 dB PSNR on average",
        "  nearer to the true render than the street by day, blurred: 100 % of 40 pairs",
        "  mean IoU in weather that no training label showed, by day alone and with stylized copies:",
        "    night 21.0 to 30.4, fog 10.0 to 25.0",
        "  proxy sets choose extra of 2 networks, the best in truth",
        "report: /demo/report.html",
    ]


def test_a_wrong_choice_is_told_with_what_it_costs() -> None:
    assert describe(summary(extra_on_proxies=0.1))[5] == (
        "  proxy sets choose day of 2 networks, 9.4 points below the best, extra"
    )
