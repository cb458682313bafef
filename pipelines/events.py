"""What a run tells while it goes on: small records handed to the caller's `on_event`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.summary import Summary
    from pipelines.units import Outcome


@dataclass(frozen=True, kw_only=True)
class Note:
    """One line worth telling, such as a choice that was made for the user."""

    text: str


@dataclass(frozen=True, kw_only=True)
class StageStarted:
    """A command that runs several stages begins the next, the `number`th of `total`; `text` says what it does."""

    number: int
    total: int
    text: str


@dataclass(frozen=True, kw_only=True)
class RunStarted:
    """A run begins: `done` of `units` were finished by an earlier session, `todo` are ahead."""

    kind: str
    units: int
    done: int
    todo: int
    inputs: int


@dataclass(frozen=True, kw_only=True)
class UnitDone:
    """A unit ended and its commit record is written."""

    outcome: Outcome


@dataclass(frozen=True, kw_only=True)
class UnitRetried:
    """A unit died and is tried again after `wait` seconds; `attempt` counts its deaths from 1."""

    unit: int
    attempt: int
    wait: float
    reason: str


@dataclass(frozen=True, kw_only=True)
class WorkersChanged:
    """Worker processes of the Ray engine came up or were lost; `workers` of them take units now."""

    workers: int


@dataclass(frozen=True, kw_only=True)
class RunFinished:
    """Every unit is committed and the manifest is written."""

    summary: Summary


Event = Note | StageStarted | RunStarted | UnitDone | UnitRetried | WorkersChanged | RunFinished
OnEvent = Callable[[Event], None]


def in_turn(on_event: OnEvent) -> OnEvent:
    """Return a listener that hears one event at a time, whichever threads they come from."""
    turn = threading.Lock()

    def listen(event: Event) -> None:
        with turn:
            on_event(event)

    return listen


def ignore(event: Event) -> None:
    """Take an event and do nothing: the default listener."""
