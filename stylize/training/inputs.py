"""From a dataset to training pictures: what is held out, where it is kept decoded, and what cannot be read."""

from __future__ import annotations

import fnmatch
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stylize.datasets.base import Dataset, Sample, open_dataset
from stylize.errors import ConfigurationError
from stylize.storage import Storage
from stylize.training.decoded import Located, user_folder
from stylize.training.events import Say, note
from stylize.training.pictures import STORED_SCALE, TrainingPictures
from stylize.training.team import ALONE, Team

REPORT_EVERY = 500  # pictures


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The pictures of a training, not read yet: of the dataset, trained on or held out, and from elsewhere."""

    dataset: Dataset
    train: tuple[Sample, ...]
    heldout: tuple[Sample, ...]
    extra: tuple[Dataset, ...] = ()

    @property
    def training(self) -> tuple[Located, ...]:
        """All pictures to train on, those of the dataset first."""
        further = ((dataset, sample) for dataset in self.extra for sample in dataset.samples)
        return (*((self.dataset, sample) for sample in self.train), *further)

    @property
    def sha256(self) -> str:
        """Hash of the ids of the training pictures, in order."""
        return hashlib.sha256("\n".join(sample.id for _, sample in self.training).encode()).hexdigest()


def find_inputs(
    dataset: str,
    *,
    layout: str = "auto",
    split: str | None = None,
    limit: int | None = None,
    holdout: str | None = None,
    extra: Sequence[str] = (),
    storage_options: Mapping[str, Any] | None = None,
) -> Inputs:
    """List the pictures of a dataset; those whose id matches `holdout` are kept apart, `limit` counts the others.

    `extra` names further datasets, whose pictures are all trained on.

    Raises:
        ConfigurationError: there are no pictures, or `holdout` matches none or all of them.
    """
    source = open_dataset(dataset, layout=layout, split=split, storage_options=storage_options)
    held = tuple(s for s in source.samples if holdout is not None and fnmatch.fnmatchcase(s.id, holdout))
    if holdout is not None and not held:
        example = source.samples[0].id
        raise ConfigurationError(f"--holdout {holdout!r} matches no picture id; ids look like {example!r}")
    apart = {s.id for s in held}
    rest = tuple(s for s in source.samples if s.id not in apart)[:limit]
    if not rest:
        raise ConfigurationError(f"--holdout {holdout!r} leaves no picture to train on")
    further = tuple(open_dataset(each, storage_options=storage_options) for each in extra)
    return Inputs(dataset=source, train=rest, heldout=held, extra=further)


def picture_folder(run: Storage, asked: Path | None) -> Path:
    """Return where the decoded pictures of a run are kept: beside it, if nothing is asked for and it is on a disk."""
    if asked is not None:
        return asked
    return run.local_root / "pictures" if run.local_root else user_folder()


def load_pictures(
    located: Sequence[Located],
    height: int,
    width: int,
    folder: Path,
    say: Say,
    *,
    scale: float = STORED_SCALE,
    team: Team = ALONE,
) -> tuple[TrainingPictures, tuple[tuple[str, str], ...]]:
    """Decode pictures once; report progress, and `(id, reason)` of each that cannot be read.

    The other arguments are those of `TrainingPictures.load`.
    """

    def progress(done: int, total: int) -> None:
        if done == total or done % REPORT_EVERY == 0:
            say(note(f"read {done} of {total} pictures"))

    pictures, bad = TrainingPictures.load(
        located, height, width, folder=folder, scale=scale, team=team, on_picture=progress
    )
    for name, reason in bad:
        say(note(f"left out {name}: {reason}"))
    return pictures, bad
