"""What a training tells while it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class TrainingEvent:
    """Progress of a training.

    With a `message` it is a line to show; otherwise `figures` holds the mean losses since the last event.
    """

    images: int
    total: int
    images_per_second: float
    figures: Mapping[str, float]
    message: str = ""


Say = Callable[[TrainingEvent], None]


def note(message: str, *, images: int = 0, total: int = 0, figures: Mapping[str, float] | None = None) -> TrainingEvent:
    """Return an event that is a line to show."""
    return TrainingEvent(images=images, total=total, images_per_second=0, figures=figures or {}, message=message)


def silent(_: TrainingEvent) -> None:
    """Say nothing."""
