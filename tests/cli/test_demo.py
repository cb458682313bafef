"""`stylize demo` ends in figures and the place of the report."""

from __future__ import annotations

from cli.demo import describe
from pipelines.demo import DemoSummary
from stylize.truth import Verdict

VERDICT = Verdict(pairs=80, closer=0.95, closer_low=1.0, content=11.5, content_low=12.5, result=17.5, result_low=20.5)


def test_the_summary_names_the_report() -> None:
    summary = DemoSummary(
        url="/demo",
        report="/demo/report.html",
        contents=8,
        exemplars=10,
        pictures=80,
        psnr=26.04,
        verdict=VERDICT,
        conditions={"night": VERDICT},
        seconds={"render": 10.0},
        elapsed=61.0,
    )
    assert describe(summary) == [
        "/demo: 80 pictures of 8 streets by day in the style of 10 exemplars, in 1 min 01 s",
        "  reconstruction 26.04 dB PSNR on average",
        "  nearer to the true render than the street by day: 95 % of the pictures, 100 % when blurred",
        "    night: 11.5 dB before, 17.5 dB after",
        "report: /demo/report.html",
    ]
