"""`stylize proxy` takes one place per name and prints a ranking that names ties as ties."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cli.main import run
from pipelines import proxy as building
from pipelines import proxyrank as ranking
from pipelines.proxy import ProxySummary
from pipelines.proxyresult import ProxyRanking, Ranked
from pipelines.summary import Summary
from stylize.agreement import agree, lead
from stylize.ranking import Scores, known, rank


def ranked(values: dict[str, float]) -> Ranked:
    scores = Scores(
        models=tuple(values),
        mean_M=np.array([*values.values()]),
        by_class_MC=np.empty((len(values), 0)),
        resampled_RM=np.array([*values.values()]) + np.linspace(-0.012, 0.012, 200)[:, None] * [1, -1, 1],
    )
    return Ranked(scores=scores, standings=rank(scores), pictures=12, contents=6)


def verdict(**changes: Any) -> ProxyRanking:
    average = ranked({"small": 0.401, "large": 0.41, "old": 0.2})
    usual: dict[str, Any] = {
        "url": "/proxy",
        "label_set": "camvid11",
        "classes": (),
        "models": ("small", "large", "old"),
        "confidence": 0.95,
        "resamples": 200,
        "targets": {"dusk": average, "fog": average},
        "average": average,
        "real": {},
        "real_average": None,
        "source": None,
        "agreements": {},
        "source_agreement": None,
        "lead": None,
    }
    return ProxyRanking(**{**usual, **changes})


def answer(monkeypatch: pytest.MonkeyPatch, found: ProxyRanking) -> list[dict[str, Any]]:
    asked: list[dict[str, Any]] = []

    def proxy_rank(proxy: str, **given: Any) -> ProxyRanking:
        asked.append({"proxy": proxy, **given})
        return found

    monkeypatch.setattr(ranking, "proxy_rank", proxy_rank)
    return asked


RANK = ["proxy", "rank", "/proxy", "--predictions", "small=out/small", "--predictions", "large=out/a=b"]


def test_a_ranking_with_ties(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked = answer(monkeypatch, verdict())
    assert run([*RANK, "--ignore", "7", "--plot", "r.svg"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "/proxy: 3 models on proxies of dusk, fog, 6 contents",
        "  rank  model    mIoU  interval        dusk     fog",
        "     1  large    41.0  39.9-42.1       41.0    41.0",
        "     1  small    40.1  39.0-41.2       40.1    40.1",
        "     3  old      20.0  18.9-21.1       20.0    20.0",
        "  tied: large, small",
    ]
    assert asked[0]["predictions"] == {"small": "out/small", "large": "out/a=b"}
    assert (asked[0]["real"], asked[0]["ignore"], asked[0]["plot"]) == (None, (7,), "r.svg")


def test_real_and_source_scores(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    average = verdict().average
    real, source = known({"small": 0.4, "large": 0.3, "old": 0.1}), known({"small": 0.1, "large": 0.2, "old": 0.3})
    found = verdict(
        real_average=Ranked(scores=real, standings=rank(real)),
        source=Ranked(scores=source, standings=rank(source)),
        agreements={"": agree(average.scores, real), "fog": agree(average.scores, real)},
        source_agreement=agree(source, real),
        lead=lead(average.scores, source, real),
    )
    answer(monkeypatch, found)
    assert run(RANK) == 0
    out = capsys.readouterr().out
    assert "     1  large    41.0  39.9-42.1       41.0    41.0    30.0    20.0\n" in out
    assert "real scores and proxies, 3 models: Spearman 0.50 (" in out
    assert "real scores and proxies of fog alone, 3 models: Spearman 0.50 (" in out
    assert "regret of choosing large: 10.0 points (0.0-10.0 over pictures); the best is small\n" in out
    assert "real scores and source, 3 models: Spearman -1.00 (" in out
    assert "regret of choosing old: 30.0 points; the best is small\n" in out
    assert "Spearman gained over the source's ranking: 1.50 (" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--predictions", "out"], "'out' is not MODEL=DIR"),
        (["--predictions", "=out"], "'=out' is not MODEL=DIR"),
        (["--predictions", "a=x", "--predictions", "a=y"], "a is given twice"),
        (["--predictions", "a=x", "--confidence", "1"], "--confidence"),
        ([], "--predictions"),
    ],
)
def test_names_and_places_are_checked(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    assert run(["proxy", "rank", "/proxy", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_a_build_tells_each_target(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[dict[str, Any]] = []
    figures = {"shift.count": 5, "shift.sum": 100.0}
    common: dict[str, Any] = {"kind": "mix", "units": 1, "bytes": 9, "seconds": {}, "figures": figures, "skipped": 0}
    common |= {"elapsed": 1.0, "max_failures": 0, "failures": ()}
    dusk = Summary(**common, url="/p/dusk", rows=5, failed=0, causes={})
    fog = Summary(**common, url="/p/fog", rows=4, failed=1, causes={"changed picture": 1})

    def proxy_build(cache: str, out: str, **given: Any) -> ProxySummary:
        asked.append({"cache": cache, "out": out, **given})
        return ProxySummary(url="/p", targets={"dusk": dusk, "fog": fog})

    monkeypatch.setattr(building, "proxy_build", proxy_build)
    assert run(["proxy", "build", "c", "p", "--styles", "dusk=d", "--styles", "fog=f", "--strength", "0.5-1"]) == 3
    assert capsys.readouterr().out.splitlines() == [
        "/p: 2 proxy sets",
        "  dusk: 5 pictures, moved by 20.0 grey levels on average",
        "  fog: 4 pictures, moved by 20.0 grey levels on average, 1 failed",
        "  1 input failed (1 changed picture); mend them and add --retry-failed, or allow them with --max-failures",
        "next: predict the pictures in /p/NAME with each model, then stylize proxy rank p --predictions MODEL=DIR",
    ]
    assert (asked[0]["styles"], asked[0]["strength"]) == ({"dusk": "d", "fog": "f"}, (0.5, 1.0))
