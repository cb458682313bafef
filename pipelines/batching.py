"""Passes of a model over a batch, in smaller parts once the memory did not suffice."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from stylize.errors import FatalError


class Batching:
    """Calls a function on the parts of a batch; `size` is halved when memory runs out and stays halved."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __call__(self, function: Callable[..., tuple[Tensor, ...]], *batch: Tensor) -> tuple[Tensor, ...]:
        """Return `function(*batch)`, tensors whose first axis is the batch's, on the CPU.

        Raises:
            FatalError: one item alone does not fit.
        """
        while True:
            try:
                return self._call(function, batch)
            except (RuntimeError, MemoryError) as error:
                if not _out_of_memory(error):
                    raise
                if self.size == 1:
                    raise FatalError(
                        "out of memory with a single picture: use a smaller model or a device with more memory"
                    ) from error
            torch.cuda.empty_cache()
            self.size = self.size // 2

    def _call(self, function: Callable[..., tuple[Tensor, ...]], batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        parts = zip(*(tensor.split(self.size) for tensor in batch), strict=True)
        results = [tuple(tensor.cpu() for tensor in function(*part)) for part in parts]
        return tuple(torch.cat(pieces) for pieces in zip(*results, strict=True))


def _out_of_memory(error: BaseException) -> bool:
    # The CPU allocator has no exception of its own.
    return isinstance(error, (MemoryError, torch.cuda.OutOfMemoryError)) or "can't allocate memory" in str(error)
