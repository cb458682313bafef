"""Who may write where: a run continues its own output, and nobody else's."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from pipelines import commits, fingerprint
from pipelines.commits import Commit
from pipelines.fingerprint import Fingerprint, claim, load
from stylize.errors import ConfigurationError
from stylize.storage import Storage
from tests.pipelines.helpers import counting_print, tree


def test_the_same_run_may_go_on(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    claim(storage, counting_print(strength=0.5, layers=(1, 2)))
    before = tree(tmp_path)
    claim(storage, counting_print(strength=0.5, layers=(1, 2)))
    assert tree(tmp_path) == before
    assert fingerprint.stamp(load(storage)) == counting_print(strength=0.5, layers=(1, 2)).digest


def test_another_run_is_refused_with_all_that_differs_and_the_remedy(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    claim(storage, counting_print(strength=0.5, seed=1, same=3))
    other = Fingerprint(
        kind="count",
        configuration={"strength": 1.0, "seed": None, "same": 3},
        weights="v" * 64,
        inputs="i" * 64,
        rows=12,
        units=6,
    )
    with pytest.raises(ConfigurationError) as refusal:
        claim(storage, other)
    text = str(refusal.value)
    assert "strength is 0.5 there and 1.0 here" in text
    assert "seed is 1 there and not set here" in text
    assert "weights is wwwwwwwwwwww there and vvvvvvvvvvvv here" in text
    assert "--overwrite" in text
    assert "same" not in text
    assert "inputs" not in text


def test_data_may_move_and_versions_may_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = Storage(tmp_path)
    first = Fingerprint(**{**vars(counting_print()), "sources": {"dataset": "/old"}})
    claim(storage, first)
    moved = Fingerprint(**{**vars(counting_print()), "sources": {"dataset": "/new"}})
    assert moved.digest == first.digest
    monkeypatch.setattr(fingerprint, "versions", lambda: {"torch": "9.9"})
    claim(storage, moved)
    claim(storage, moved)
    record = load(storage)
    assert [v.get("torch") for v in record["versions"]][1:] == ["9.9"]
    assert record["sources"] == {"dataset": "/old"}


def test_a_folder_with_other_files_is_never_taken_even_to_overwrite(tmp_path: Path) -> None:
    (tmp_path / "holiday").mkdir()
    (tmp_path / "holiday" / "photo.jpg").write_bytes(b"mine")
    for overwrite in (False, True):
        with pytest.raises(ConfigurationError, match=r"not empty .*holiday/photo\.jpg"):
            claim(Storage(tmp_path), counting_print(), overwrite=overwrite)
    assert tree(tmp_path) == {"holiday/photo.jpg": b"mine"}


def test_overwrite_removes_what_the_run_wrote_and_nothing_else(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    claim(storage, counting_print(seed=1))
    record = commits.publish(storage, "train/a__0.png", b"picture")
    commits.write(storage, Commit(run="r", unit=0, rows=1, files=(record,)))
    extra = commits.publish(storage, "sheet.png", b"sheet")
    storage.write("manifest.json", commits.dump({"extras": [list(extra)]}))
    for path in (
        "shards/00003.parquet",
        "provenance/00003.parquet",
        "inputs.parquet",
        "plan.parquet",
        "train/b__0.png",
    ):
        storage.write(path, b"ours")
    storage.write("notes.txt", b"mine")
    claim(storage, counting_print(seed=2), overwrite=True, owned=lambda _: ["train/b__0.png", "train/never.png"])
    assert sorted(tree(tmp_path, without=())) == ["notes.txt", "run.json"]
    assert load(storage)["configuration"] == {"seed": 2}


def test_a_removal_that_was_interrupted_can_be_repeated(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    claim(storage, counting_print(seed=1))
    storage.write("commits/00000.json", b"half a record")
    storage.write("shards/00000.parquet", b"x")
    claim(storage, counting_print(seed=2), overwrite=True)
    assert sorted(tree(tmp_path, without=())) == ["run.json"]


def test_of_two_runs_at_the_same_moment_one_is_refused(tmp_path: Path) -> None:
    for trial in range(20):
        storage, outcomes = Storage(tmp_path / str(trial)), []
        barrier = threading.Barrier(2)

        def start(seed: int, storage: Storage = storage, outcomes: list[str] = outcomes) -> None:
            barrier.wait()  # noqa: B023
            try:
                claim(storage, counting_print(seed=seed))
                outcomes.append(f"won {seed}")
            except ConfigurationError:
                outcomes.append("refused")

        threads = [threading.Thread(target=start, args=(seed,)) for seed in (1, 2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes) == ["refused", f"won {load(storage)['configuration']['seed']}"]


@pytest.mark.parametrize("data", [b"{", json.dumps({"format": 99}).encode()])
def test_a_run_record_that_cannot_be_read_says_so(tmp_path: Path, data: bytes) -> None:
    storage = Storage(tmp_path)
    storage.write("run.json", data)
    with pytest.raises(ConfigurationError, match=r"run\.json"):
        load(storage)
    claim(storage, counting_print(), overwrite=True)
    assert load(storage)["kind"] == "count"


def test_a_folder_of_proxy_sets_points_to_them(tmp_path: Path) -> None:
    (tmp_path / "proxy.json").write_text("{}")
    with pytest.raises(ConfigurationError, match="holds proxy sets: give one of them"):
        load(Storage(tmp_path))
