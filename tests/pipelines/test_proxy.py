"""Building proxy sets on tiny pictures: one ordinary mix per target, dealt evenly, added to and refused."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pipelines.events import Note, StageStarted
from pipelines.invert import invert
from pipelines.provenance import read_rows
from pipelines.proxy import ProxySummary, describe, proxy_build
from pipelines.proxyrecord import read_record
from pipelines.status import status
from pipelines.verify import verify
from stylize.errors import ConfigurationError
from stylize.storage import Storage
from tests.pipelines.helpers import tree, write_dataset

NAMES = [f"0001TP_{number:03d}" for number in range(5)]


@pytest.fixture(scope="module")
def caches(tmp_path_factory: pytest.TempPathFactory, tiny_model: str) -> Path:
    """A folder with caches of five labelled pictures, of three exemplars and of one."""
    root = tmp_path_factory.mktemp("caches")
    write_dataset(root / "data", NAMES, split="val")
    write_dataset(root / "dusk", ["a", "b", "c"], split="dusk")
    write_dataset(root / "fog", ["x"], split="fog")
    for name in ("data", "dusk", "fog"):
        invert(root / name, root / f"{name}-cache", model=tiny_model, unit_size=2, device="cpu")
    return root


@pytest.fixture
def build(caches: Path, tmp_path: Path) -> Any:
    """Build proxy sets of some targets in `tmp_path / proxy`."""

    def start(*names: str, **options: Any) -> ProxySummary:
        styles = {name: caches / f"{name}-cache" for name in names}
        return proxy_build(caches / "data-cache", tmp_path / "proxy", **{"styles": styles, "device": "cpu", **options})

    return start


def used(target: Path) -> Counter[str]:
    rows = [row for path in sorted(target.glob("provenance/*.parquet")) for row in read_rows(path.read_bytes())]
    return Counter(row["exemplar"] for row in rows)


def test_every_target_is_a_mix_with_its_exemplars_used_evenly(build: Any, caches: Path, tmp_path: Path) -> None:
    told: list[Any] = []
    summary = build("dusk", "fog", per_image=2, on_event=told.append)
    assert {name: one.rows for name, one in summary.targets.items()} == {"dusk": 10, "fog": 10}
    assert (summary.exit_code, len(describe(summary))) == (0, 2)
    proxy = tmp_path / "proxy"
    assert sorted(used(proxy / "dusk").values()) == [3, 3, 4]
    assert used(proxy / "fog") == {"fog/x": 10}
    label = (caches / "data/valannot" / f"{NAMES[2]}.png").read_bytes()
    assert (proxy / "dusk/valannot" / f"{NAMES[2]}__1.png").read_bytes() == label
    for name in ("dusk", "fog"):
        assert verify(str(proxy / name)).ok
        assert status(str(proxy / name)).finished
    assert [event.text.partition(",")[0] for event in told if isinstance(event, StageStarted)] == ["dusk", "fog"]


def test_proxy_json_says_what_there_is_and_what_it_was_made_of(build: Any, caches: Path, tmp_path: Path) -> None:
    build("dusk", strength="0.5-1", seed=4)
    record = json.loads((tmp_path / "proxy/proxy.json").read_text())
    assert record["labels"] == {"kinds": {"annot": 5}, "layout": "camvid"}
    assert (record["built"]["strength"], record["built"]["seed"]) == ([0.5, 1.0], 4)
    assert record["sources"] == {"cache": str(caches / "data-cache"), "dataset": str(caches / "data")}
    dusk = record["targets"]["dusk"]
    assert (dusk["exemplars"], dusk["pictures"], dusk["failed"]) == (3, 5, 0)
    assert dusk["styles"] == str(caches / "dusk-cache")


def test_a_second_call_goes_on_and_other_names_add_targets(build: Any, tmp_path: Path) -> None:
    build("dusk")
    before = tree(tmp_path / "proxy/dusk")
    Storage(tmp_path / "proxy/dusk").remove("commits/00001.json")
    assert build("dusk").targets["dusk"].skipped == 2
    assert tree(tmp_path / "proxy/dusk") == before
    build("fog")
    assert sorted(read_record(Storage(tmp_path / "proxy"))["targets"]) == ["dusk", "fog"]
    with pytest.raises(ConfigurationError, match=r"other contents or options \(per_image, seed differ\)"):
        build("fog", seed=1, per_image=2)
    build("fog", seed=1, overwrite=True)
    assert sorted(read_record(Storage(tmp_path / "proxy"))["targets"]) == ["fog"]
    assert not list((tmp_path / "proxy").glob("dusk/*/*.png"))


def test_what_was_built_before_there_was_any_cover_can_be_added_to(build: Any, tmp_path: Path) -> None:
    build("dusk", cover=0.0, blur=0.0)
    storage = Storage(tmp_path / "proxy")
    record = storage.read_json("proxy.json")
    for name in ("blur", "uneven", "cover"):
        assert record["built"].pop(name) == 0
    storage.write_json("proxy.json", record)
    build("fog", cover=0.0, blur=0.0)
    assert sorted(read_record(storage)["targets"]) == ["dusk", "fog"]
    with pytest.raises(ConfigurationError, match=r"other contents or options \(blur, cover differ\)"):
        build("fog")


def test_a_damaged_target_is_repaired_to_the_same_bytes(build: Any, tmp_path: Path) -> None:
    build("dusk")
    before = tree(tmp_path / "proxy/dusk")
    (tmp_path / "proxy/dusk/val" / f"{NAMES[1]}.png").unlink()
    assert verify(str(tmp_path / "proxy/dusk"), repair=True).repaired is not None
    assert tree(tmp_path / "proxy/dusk") == before


def test_contents_without_labels_are_told_and_make_no_proxy(caches: Path, tmp_path: Path, tiny_model: str) -> None:
    styles = {"fog": caches / "fog-cache"}
    data = write_dataset(tmp_path / "data", NAMES[:2], split="val")
    write_dataset(tmp_path / "data", ["0000_b"], split="dusk")
    shutil.rmtree(data / "duskannot")
    invert(data, tmp_path / "cache", model=tiny_model, device="cpu")
    told: list[Any] = []
    proxy_build(tmp_path / "cache", tmp_path / "proxy", styles=styles, device="cpu", on_event=told.append)
    assert Note(text="1 content without labels, which is stylized and never scored") in told
    with pytest.raises(ConfigurationError, match=r"no picture of .*cache that was asked for has a label"):
        proxy_build(tmp_path / "cache", tmp_path / "other", styles=styles, device="cpu", split="dusk")


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "proxy.json"])
def test_a_target_is_a_folder(build: Any, caches: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="a target becomes a folder"):
        build(styles={name: caches / "dusk-cache"})


def test_what_is_no_place_for_proxy_sets_is_left_alone(build: Any, caches: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no target: name at least one"):
        build()
    with pytest.raises(ConfigurationError, match="no split 'test' in the cache"):
        build("dusk", split="test")
    with pytest.raises(ConfigurationError, match="holds a run of its own"):
        proxy_build(caches / "data-cache", caches / "dusk-cache", styles={"fog": caches / "fog-cache"}, device="cpu")
    with pytest.raises(ConfigurationError, match=r"holds no proxy\.json"):
        read_record(Storage(tmp_path))
