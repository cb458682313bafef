"""The loop around the steps of a training: figures, evaluations and checkpoints."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import torch

from stylize.curveplot import Panel, draw
from stylize.errors import FatalError
from stylize.training.events import Say, TrainingEvent, note
from stylize.training.record import TrainingRecord
from stylize.training.team import ALONE, Team

LOG_EVERY = 20  # steps between two rows of losses
EVALUATIONS = 30  # in a whole run, or more in a long one
LONGEST_WAIT = 50_000  # images between two evaluations
SPELLED = {"heldout_psnr": "held-out PSNR {:.2f} dB", "frechet": "Frechet distance {:.3g}", "fid": "FID {:.1f}"}


class Trainer(Protocol):
    """What the loop needs of a training; a step is a function of the state and its number."""

    step: int

    @property
    def images(self) -> int: ...

    @property
    def total(self) -> int: ...

    @property
    def lr(self) -> float: ...

    def train_step(self) -> dict[str, float]: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class TrainingLoop:
    """Trains to the end, from the last checkpoint if there is one.

    Rows and evaluations come at numbers of images that follow from the configuration, so that a run that was
    interrupted leaves the same table, grids and weights as one that was not. Checkpoints come by the clock. In a team,
    the process that leads reads and writes the record and evaluates; the others step along and wait for it.
    """

    def __init__(
        self,
        trainer: Trainer,
        record: TrainingRecord,
        *,
        checkpoint_minutes: float,
        evaluate: Callable[[], Mapping[str, float]],
        say: Say,
        panels: Sequence[Panel] = (),
        team: Team = ALONE,
    ) -> None:
        """Take a trainer, and `evaluate`, which writes what the averaged weights give and returns figures of it.

        `panels` are those of the picture of the figures; what they do not name stands in a last one.
        """
        self.panels = panels
        self.trainer, self.record, self.evaluate, self.say, self.team = trainer, record, evaluate, say, team
        self.interval = checkpoint_minutes * 60

    def run(self) -> Mapping[str, float]:
        """Train to the end; return the figures of the last evaluation."""
        trainer = self.trainer
        state = self.team.together(self.record.load_checkpoint)
        if state is not None:
            trainer.load_state_dict(state)
            self._note(f"continuing after {trainer.images} of {trainer.total} images")
        if trainer.images >= trainer.total:
            return self.team.together(self.evaluate)
        figures: Mapping[str, float] = {}
        saved = time.monotonic()
        while trainer.images < trainer.total:
            before = trainer.images
            self._train_interval()
            if self._evaluation_due(before):
                figures = self.team.together(self._evaluate)
            if self.team.leads and (trainer.images >= trainer.total or time.monotonic() - saved > self.interval):
                self.record.save_checkpoint(trainer.state_dict())
                saved = time.monotonic()
        return figures

    def _train_interval(self) -> None:
        """Train up to the next row of losses and write it down."""
        trainer = self.trainer
        values: dict[str, list[float]] = defaultdict(list)
        first, begin = trainer.images, time.monotonic()
        while True:
            for name, value in self._step().items():
                values[name].append(value)
            if trainer.step % LOG_EVERY == 0 or trainer.images >= trainer.total:
                break
        rate = (trainer.images - first) / max(time.monotonic() - begin, 1e-9)
        figures = {name: sum(some) / len(some) for name, some in values.items()}
        bad = [name for name, value in figures.items() if not math.isfinite(value)]
        if bad:
            raise FatalError(
                f"after {trainer.images} images the loss {bad[0]!r} is no longer finite: begin anew with a lower --lr, "
                f"or go on from {self.record.weights} in another folder with --init"
            )
        self.record.rows.append(
            {"step": float(trainer.step), "images": float(trainer.images), "lr": trainer.lr} | figures
        )
        self.say(TrainingEvent(images=trainer.images, total=trainer.total, images_per_second=rate, figures=figures))

    def _step(self) -> dict[str, float]:
        try:
            return self.trainer.train_step()
        except torch.cuda.OutOfMemoryError as error:
            raise FatalError(
                "out of memory in a step of the training: lower --batch-size, or share it among more --workers"
            ) from error

    def _evaluation_due(self, before: int) -> bool:
        part = min(self.trainer.total / EVALUATIONS, LONGEST_WAIT)
        return before // part < self.trainer.images // part or self.trainer.images >= self.trainer.total

    def _evaluate(self) -> Mapping[str, float]:
        figures = self.evaluate()
        self.record.rows[-1] |= figures
        self.record.save_losses()
        self.record.save_curves(self._curves())
        told = ", ".join(SPELLED.get(name, name + " {:.2f}").format(value) for name, value in figures.items())
        self._note(f"{self.trainer.images} images: {told or 'weights and grid are written'}", figures)
        return figures

    def _curves(self) -> bytes:
        # As they stand in the table, from which a resumed run has them.
        rows = [{name: float(f"{value:.6g}") for name, value in row.items()} for row in self.record.rows]
        shown = {name for panel in self.panels for name in panel.figures}
        losses = sorted({name for row in rows for name in row} - shown - {"step", "images", "lr"})
        title = f"Training of the {self.record.weights.partition('.')[0]}"
        subtitle = f"after {self.trainer.images:,} of {self.trainer.total:,} images"
        return draw(title, subtitle, rows, [*self.panels, Panel(title="losses", figures=losses)])

    def _note(self, message: str, figures: Mapping[str, float] | None = None) -> None:
        self.say(note(message, images=self.trainer.images, total=self.trainer.total, figures=figures))
