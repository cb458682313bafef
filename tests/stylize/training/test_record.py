from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from stylize.errors import ConfigurationError
from stylize.storage import Storage
from stylize.training.record import TrainingRecord

RUN = {"kind": "train-encoder", "training": {"lr": 1e-3, "betas": (0.5, 0.9)}, "holdout": None, "hash": "a" * 64}


@pytest.fixture
def record(tmp_path: Path) -> TrainingRecord:
    return TrainingRecord(Storage(tmp_path))


def test_a_run_goes_on_with_the_same_configuration(record: TrainingRecord) -> None:
    record.begin(RUN, overwrite=False)
    record.save_checkpoint({"step": 20})
    record.begin(RUN, overwrite=False)
    assert record.load_checkpoint() == {"step": 20}


def test_another_configuration_is_refused_by_name_and_value(record: TrainingRecord) -> None:
    record.begin(RUN, overwrite=False)
    other = RUN | {"training": {"lr": 5e-4, "betas": (0.5, 0.9)}, "holdout": "*7*", "hash": "b" * 64}
    with pytest.raises(ConfigurationError) as caught:
        record.begin(other, overwrite=False)
    message = str(caught.value)
    assert "(hash: aaaaaaaaaaaa there, bbbbbbbbbbbb now; " in message
    assert 'holdout: not set there, "*7*" now; training.lr: 0.001 there, 0.0005 now)' in message
    assert "betas" not in message
    assert message.endswith("pass --overwrite")
    weights = record.save_weights(b"weights")
    with pytest.raises(ConfigurationError, match=f"--init {re.escape(weights)} goes on from it elsewhere"):
        record.begin(other, overwrite=False)


def test_overwriting_begins_anew(record: TrainingRecord, tmp_path: Path) -> None:
    record.begin(RUN, overwrite=False)
    record.rows = [{"step": 20.0, "l1": 1.0}]
    record.save_checkpoint({"step": 20})
    record.save_grid(80, b"png")
    record.save_weights(b"weights")
    (tmp_path / "notes.txt").write_text("mine")
    record.begin(RUN | {"holdout": "*7*"}, overwrite=True)
    assert record.load_checkpoint() is None
    assert sorted(record.storage.list()) == ["notes.txt", "run.json"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_the_folder_of_another_command_is_never_touched(record: TrainingRecord, overwrite: bool) -> None:
    record.storage.write_json("run.json", {"kind": "invert"})
    with pytest.raises(ConfigurationError, match="holds a run of invert: choose another folder"):
        record.begin(RUN, overwrite=overwrite)
    assert record.storage.read_json("run.json") == {"kind": "invert"}


def test_a_damaged_run_is_refused(record: TrainingRecord) -> None:
    record.storage.write("run.json", b"{")
    with pytest.raises(ConfigurationError, match="not JSON"):
        record.begin(RUN, overwrite=False)


def test_rows_behind_the_checkpoint_are_forgotten(record: TrainingRecord) -> None:
    record.rows = [{"step": 20.0, "images": 80.0, "lr": 1e-3, "l1": 0.5}]
    record.save_checkpoint({"step": 20, "weights": torch.ones(2)})
    record.rows.append({"step": 40.0, "images": 160.0, "lr": 1e-3, "l1": 0.25})
    record.save_losses()
    again = TrainingRecord(record.storage)
    state = again.load_checkpoint()
    assert state is not None
    assert torch.equal(state["weights"], torch.ones(2))
    assert again.rows == record.rows[:1]


def test_the_table_does_not_depend_on_when_a_figure_first_came(record: TrainingRecord) -> None:
    record.rows = [
        {"step": 20.0, "images": 80.0, "lr": 1e-3, "mse": 1 / 3},
        {"step": 40.0, "images": 160.0, "lr": 1e-4, "l1": 2.0},
    ]
    record.save_losses()
    table = record.storage.read_text("losses.csv")
    assert table == "step,images,lr,l1,mse\n20,80,0.001,,0.333333\n40,160,0.0001,2,\n"
    record.save_checkpoint({"step": 40})
    again = TrainingRecord(record.storage)
    again.load_checkpoint()
    again.save_losses()
    assert record.storage.read_text("losses.csv") == table
