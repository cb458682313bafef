"""What both trainings are told beside their own configuration, in a form that means the same in any process."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

from stylize.storage import Storage
from stylize.training.events import Say
from stylize.training.team import ALONE, Team

Summary = TypeVar("Summary")


@dataclass(frozen=True, kw_only=True)
class Job(ABC, Generic[Summary]):
    """A training that any process can do, alone or as one of a team.

    Attributes:
        dataset: folder or URL of pictures; labels are not looked at.
        out: folder or URL of the run, see `stylize.training.record`.
        layout, split, limit: which pictures, see `stylize.training.inputs.find_inputs`.
        picture_cache: folder for the decoded pictures, see `stylize.training.decoded`; None: beside the run.
        checkpoint_minutes: how often to save what a resumed run goes on from.
        device: torch device; None: the GPU if there is one.
        overwrite: remove an earlier run in `out` first.
        storage_options: passed to fsspec for all URLs.
    """

    dataset: str
    out: str
    layout: str = "auto"
    split: str | None = None
    limit: int | None = None
    picture_cache: Path | None = None
    checkpoint_minutes: float = 3.0
    device: str | None = None
    overwrite: bool = False
    storage_options: Mapping[str, Any] | None = None

    @abstractmethod
    def run(self, on_event: Say | None = None, team: Team = ALONE) -> Summary:
        """Train, from the last checkpoint if there is one; every process of a team calls this with an equal job."""

    @abstractmethod
    def check_shares(self, team: Team) -> None:
        """Raise `ConfigurationError` when a batch does not divide among a team."""

    def settled(self) -> Self:
        """Return the job with absolute paths, so that it may be done in another folder."""
        return replace(
            self,
            dataset=self._absolute(self.dataset),
            out=self._absolute(self.out),
            picture_cache=settled(self.picture_cache),
        )

    def _absolute(self, url: str) -> str:
        return Storage(url, self.storage_options).url


def settled(path: Path | None) -> Path | None:
    """Return an absolute path, with the user's folder in the place of `~`."""
    return None if path is None else path.expanduser().absolute()
