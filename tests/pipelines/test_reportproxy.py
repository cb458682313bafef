"""The page of proxy sets: all targets, finished, broken or gone, and the ranking that belongs to them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from pipelines.invert import invert
from pipelines.proxy import proxy_build
from pipelines.report import report
from pipelines.reportproxy import EXEMPLARS, SHOWN, SHOWN_TARGETS
from stylize.errors import ConfigurationError
from stylize.reporting import MOST_PICTURES
from stylize.storage import Storage
from tests.pages import Page
from tests.pipelines.helpers import write_dataset


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, tiny_model: str) -> Path:
    """A folder with the proxy sets `dusk` and `fog` of five contents."""
    root = tmp_path_factory.mktemp("built")
    write_dataset(root / "data", [f"0001TP_{number:03d}" for number in range(5)], split="val")
    write_dataset(root / "dusk", ["a", "b", "c"], split="dusk")
    write_dataset(root / "fog", ["x"], split="fog")
    for name in ("data", "dusk", "fog"):
        invert(root / name, root / f"{name}-cache", model=tiny_model, unit_size=2, device="cpu")
    styles = {name: root / f"{name}-cache" for name in ("dusk", "fog")}
    proxy_build(root / "data-cache", root / "proxy", styles=styles, per_image=2, device="cpu")
    return root


@pytest.fixture
def proxy(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built / "proxy", tmp_path / "proxy"))


def page_of(proxy: Path, **options: Any) -> Page:
    page = Page(Path(report(proxy, **options)).read_bytes())
    assert page.is_self_contained()
    return page


def ranking(*targets: str, **more: Any) -> dict[str, Any]:
    def one(shift: float) -> dict[str, Any]:
        models = {
            "zebra": {"rank": 1, "mean_iou": 0.5 + shift, "low": 0.45, "high": 0.55, "tied_with": ["ant"]},
            "ant": {"rank": 1, "mean_iou": 0.48 + shift, "low": 0.44, "high": 0.52, "tied_with": ["zebra"]},
            "<b>": {"rank": 3, "mean_iou": 0.2, "low": None, "high": None, "tied_with": []},
        }
        return {"pictures": 10, "contents": 5, "models": models}

    sets = {name: one(0.01 * place) for place, name in enumerate(targets)}
    return {"average": one(0), "targets": sets, "chosen": "zebra", "confidence": 0.95, "agreement": None, **more}


def test_all_targets_are_side_by_side(proxy: Path) -> None:
    page = page_of(proxy)
    for expected in ("2 proxy sets", "2 targets", "20 labelled pictures in all", "How far each target moved", "annot"):
        assert expected in page.text
    assert "dusk 3 10 " in page.text
    assert "fog 1 10 " in page.text
    assert len(page.sources) == 2 * 3 * (SHOWN // 2) + 3 + 1
    assert page.tags.count("nav") == 1
    assert "Ranking of models" not in page.text


def test_a_set_that_is_gone_or_unfinished_is_told(proxy: Path) -> None:
    shutil.rmtree(proxy / "fog")
    (proxy / "dusk/manifest.json").unlink()
    page = page_of(proxy)
    assert "unfinished" in page.text
    assert "This set is gone: " in page.text
    assert "fog 1 - - - - - gone" in page.text


def test_the_ranking_beside_the_sets_is_found(proxy: Path) -> None:
    (proxy / "ranking.json").write_text(json.dumps(ranking("dusk", "fog")))
    text = page_of(proxy).text
    ranked = text[text.index("Mean IoU") :]
    assert ranked.index("zebra 1. 50.0 %, tied") < ranked.index("ant 1. 48.0 %") < ranked.index("<b> 3. 20.0 %")
    assert "zebra 50.0 % 50.0 % 51.0 %" in ranked
    assert "Best on average: zebra." in ranked
    assert "by other targets" not in ranked


def test_a_ranking_may_be_named(proxy: Path, tmp_path: Path) -> None:
    agreement = {"chosen": "zebra", "best": "ant", "regret": {"value": 0.021}, "spearman": {"value": 0.5}}
    (tmp_path / "r.json").write_text(json.dumps(ranking("dusk", agreement=agreement)))
    text = page_of(proxy, ranking=tmp_path / "r.json").text
    assert "the choice is zebra, 2.1 points below ant, the best there" in text
    assert "by other targets than these: dusk." in text


def test_what_is_no_ranking_is_refused(proxy: Path, built: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no ranking in .*nowhere\.json"):
        report(proxy, ranking=tmp_path / "nowhere.json")
    (tmp_path / "other.json").write_text("[]")
    with pytest.raises(ConfigurationError, match=r"other\.json is no ranking.*--json"):
        report(proxy, ranking=tmp_path / "other.json")
    with pytest.raises(ConfigurationError, match=r"belongs to proxy sets.*holds no proxy\.json"):
        report(built / "data-cache", ranking=tmp_path / "other.json")


def test_however_many_targets_the_pictures_are_bounded() -> None:
    for targets in range(1, 4 * SHOWN_TARGETS):
        shown = min(targets, SHOWN_TARGETS)
        assert shown * (3 * max(1, SHOWN // targets) + EXEMPLARS) <= MOST_PICTURES


def test_proxy_sets_at_a_url(built: Path, tiny_model: str) -> None:
    proxy_build(built / "data-cache", "memory://proxies/p", styles={"fog": built / "fog-cache"}, limit=2, device="cpu")
    assert report("memory://proxies/p") == "memory://proxies/p/report.html"
    page = Page(Storage("memory://proxies/p").read("report.html"))
    assert "1 target" in page.text
    assert "nav" not in page.tags


def test_a_page_goes_with_what_it_shows(built: Path, tmp_path: Path) -> None:
    styles = {"fog": built / "fog-cache"}
    proxy_build(built / "data-cache", tmp_path / "proxy", styles=styles, limit=1, device="cpu")
    page = Path(report(tmp_path / "proxy"))
    proxy_build(built / "data-cache", tmp_path / "proxy", styles=styles, limit=2, overwrite=True, device="cpu")
    assert not page.exists()
