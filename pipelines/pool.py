"""A pool of Ray actors, each with one worker in a process of its own; dead ones are replaced, late ones are welcome."""

from __future__ import annotations

import os
import pickle
import platform
import time
import traceback
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pipelines.cluster import CPUS  # first: it tells Ray what to leave alone before Ray is imported

# isort: split
import ray
from ray.exceptions import ActorDiedError, OutOfMemoryError, RayError, RayTaskError

from pipelines.deaths import one_line
from pipelines.fingerprint import versions
from pipelines.flow import limit_cores
from pipelines.units import Outcome, Unit, Worker, WorkerSpec
from stylize.errors import FatalError, NotFound, StylizeError, TransientError

IN_FLIGHT = 2  # units per worker, so that one reads or writes while the other computes
STARTS = 3  # in a row that may fail in one place of the pool, before the place is given up


class Greeting(NamedTuple):
    """What a worker says when its weights are loaded."""

    node: str
    pid: int
    versions: dict[str, str]


class Host:
    """The actor. Two calls of `run` at once are two threads around one worker, as in the local engine.

    Errors come back as values: raised, Ray would wrap them into one type of its own, with pages of text.
    """

    def __init__(self, gpus: float) -> None:
        if not gpus:  # Ray is about to stop hiding them; read when CUDA is first used, so not too late
            os.environ["CUDA_VISIBLE_DEVICES"] = ""
            limit_cores(CPUS)  # the other cores are other workers'; beside a GPU all lend a hand
        self._worker: Worker | None = None

    def start(self, spec: WorkerSpec) -> Greeting | Exception:
        """Load the weights."""
        try:
            self._worker = spec.create()
        except NotFound as error:
            return FatalError(
                f"node {platform.node()} does not see what this machine sees ({error.reason}): use URLs or a shared "
                "folder for all paths"
            )
        except Exception as error:
            return portable(error)
        return Greeting(platform.node(), os.getpid(), versions())

    def run(self, unit: Unit) -> Outcome | Exception:
        """Make a unit."""
        try:
            if self._worker is None:
                raise TransientError("the worker was not started")
            return self._worker.run(unit)
        except Exception as error:
            return portable(error)


def portable(error: Exception) -> Exception:
    """Return an error that survives the way to the driver, with the traceback as a note for `--debug`."""
    try:
        copy: Exception = pickle.loads(pickle.dumps(error))
        if str(copy) != str(error):
            raise TypeError("lost its message")
    except Exception:  # whatever its classes do while they are packed
        copy = TransientError(one_line(error))
    copy.add_note("In the worker:\n" + "".join(traceback.format_exception(error)))
    return copy


@dataclass(eq=False)
class Place:
    """A place in the pool: an actor that is awaited, one that works, or the pause before the next."""

    actor: Any = None
    awaited: Any = None  # the reference of its greeting, until that has come
    node: str = ""
    units: dict[Any, Unit] = field(default_factory=dict)
    alone: bool = False  # its unit must not have company
    failed_starts: int = 0
    due: float = 0.0  # when the next actor may be made, on the monotonic clock

    @property
    def live(self) -> bool:
        """Whether its worker takes units."""
        return self.actor is not None and self.awaited is None

    @property
    def free(self) -> int:
        """How many units it could take now."""
        return 0 if not self.live or self.alone else IN_FLIGHT - len(self.units)


class Death(NamedTuple):
    """A unit that was not made, why, and whether the whole process died with it."""

    unit: Unit
    error: Exception
    violent: bool


class Pool:
    """Up to `size` places; one more whenever all are taken, when `grows`, up to `most`.

    An actor for which the cluster has no room yet waits there, which is also what makes an autoscaler add machines. A
    dead actor is replaced by a new one rather than restarted by Ray: a restart would end up without weights, and go on
    for ever on a machine where they cannot be loaded.
    """

    def __init__(self, spec: WorkerSpec, *, gpus: float, size: int, most: int, grows: bool) -> None:
        self._spec = spec
        self.gpus = gpus
        self._most = most
        self._grows = grows
        self._actors = ray.remote(Host).options(
            num_cpus=CPUS,
            num_gpus=gpus,
            max_concurrency=IN_FLIGHT,
            max_restarts=0,
            max_task_retries=0,
        )
        self.places = [Place() for _ in range(max(1, min(size, most)))]
        self.why = ""  # the last worker did not start

    @property
    def live(self) -> list[Place]:
        """Places with a working actor, the idlest first."""
        return sorted((place for place in self.places if place.live), key=lambda place: len(place.units))

    @property
    def in_flight(self) -> list[Any]:
        """References of the units that are being made."""
        return [ref for place in self.places for ref in place.units]

    @property
    def references(self) -> list[Any]:
        """References of all that is awaited."""
        return self.in_flight + [place.awaited for place in self.places if place.awaited is not None]

    @property
    def exhausted(self) -> bool:
        """Whether every place was given up."""
        return all(place.failed_starts >= STARTS for place in self.places)

    def mend(self) -> None:
        """Make the actors that are missing; grow by a place when all are at work."""
        if self._grows and len(self.places) < self._most and all(place.live for place in self.places):
            self.places.append(Place())
        for place in self.places:
            if place.actor is None and place.failed_starts < STARTS and time.monotonic() >= place.due:
                place.actor = self._actors.remote(self.gpus)
                # Not given to the constructor, whose arguments the cluster's head keeps, with the storage's secrets.
                place.awaited = place.actor.start.remote(self._spec)

    def submit(self, place: Place, unit: Unit, *, alone: bool = False) -> None:
        """Hand a unit to a working actor."""
        place.units[place.actor.run.remote(unit)] = unit
        place.alone = alone

    def collect(self, reference: Any) -> Iterator[Outcome | Death]:
        """Take what has come for a reference; an actor that died gives up all its units at once.

        Raises:
            FatalError, ConfigurationError: a worker cannot start, and none ever will.
        """
        found = (place for place in self.places if reference in place.units or place.awaited is reference)
        place = next(found, None)
        if place is None:
            return  # its actor died since
        try:
            reply = ray.get(reference)
        except RayError as error:
            yield from self._bury(place, error)
            return
        if place.awaited is reference:
            self._welcome(place, reply)
            return
        unit = place.units.pop(reference)
        place.alone = False
        yield Death(unit, reply, violent=False) if isinstance(reply, Exception) else reply

    def _welcome(self, place: Place, reply: Greeting | Exception) -> None:
        if isinstance(reply, StylizeError) and not isinstance(reply, TransientError):
            raise reply
        if isinstance(reply, Exception):
            self._fail(place, one_line(reply))
            return
        here, there = versions()["stylize"], reply.versions["stylize"]
        if there != here:
            raise FatalError(f"node {reply.node} has stylize {there}, this machine {here}: install the same on both")
        place.awaited, place.node, place.failed_starts = None, f"{reply.node}, process {reply.pid}", 0

    def _bury(self, place: Place, error: RayError) -> Iterator[Death]:
        reason = cause_of(error)
        if place.awaited is not None:
            self._fail(place, reason)
            return
        units, node = list(place.units.values()), place.node
        self._clear(place)
        for unit in units:
            yield Death(unit, TransientError(f"worker {node}: {reason}"), violent=True)

    def _fail(self, place: Place, reason: str) -> None:
        """Note a worker that did not start; the next attempt comes later, perhaps on another node."""
        place.failed_starts += 1
        place.due = time.monotonic() + 2.0 ** (place.failed_starts - 1)
        self.why = reason
        self._clear(place)

    def _clear(self, place: Place) -> None:
        if place.actor is not None:
            kill(place.actor)  # one that is only out of reach must not come back
        place.actor = place.awaited = None
        place.units = {}
        place.alone = False

    def close(self) -> None:
        """End all actors at once."""
        for place in self.places:
            self._clear(place)


def kill(actor: Any) -> None:
    """End an actor, whatever state it is in."""
    with suppress(RayError, ValueError):
        ray.kill(actor, no_restart=True)


def cause_of(error: RayError) -> str:
    """Say in a few words why an actor is gone; Ray's own message is a page."""
    text = str(error)
    if isinstance(error, OutOfMemoryError) or "memory pressure" in text or "OOM" in text.partition("Some common")[0]:
        return "the machine ran out of memory; use fewer workers or a smaller --batch-size"
    if isinstance(error, RayTaskError):  # raised outside of our methods: on the way in or out
        last = [line for line in text.splitlines() if line.strip()][-1:]
        return f"a call failed ({' '.join(last)}); has every node the same version of stylize?"
    if "ModuleNotFoundError" in text or "ImportError" in text:
        return "stylize cannot be imported there; install the same version on every node"
    if isinstance(error, ActorDiedError):
        if getattr(error, "preempted", False):
            return "its node was preempted"
        return "its node died" if "node has died" in text or "node died" in text else "the process died"
    return f"lost ({type(error).__name__})"
