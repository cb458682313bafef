"""Passes of a model over a batch, in which bytes do not depend on the cores, and memory that runs out is no end."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from pipelines.crew import Crew
from pipelines.flow import Stopwatch, cores
from stylize.errors import FatalError
from stylize.models import transfer

PASSES_BESIDE = 4  # batches in hand beside the one that an accelerator computes: being filled, being packed, waiting
ON_DEVICE = 2  # of these: the one computed, and one whose pictures go up or come down
KEPT = 256 << 20  # bytes that glibc may keep at the end of a heap
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # parameters of mallopt, from malloc.h


class Batching:
    """Calls a function on the parts of a batch; `size` is halved when memory runs out and stays halved.

    `with batching.passing(watch): ...` lets as many passes at once as make sense: one per core on a CPU, two on a GPU,
    where one computes while the other's pictures go up or come down, each on a stream of its own. A GPU is given batch
    after batch, the oldest first and all passes of a call together: two that shared it would both end late, and the
    cores have nothing to do until a batch is whole.

    On a CPU each pass computes on one thread, because the blocks that a 1x1 convolution is cut into, and with them the
    last bits of its sums, depend on the number of threads: a shard would differ from one machine to the next. Cores are
    kept busy by several batches in hand, `ahead` of each unit, and by several units in flight. A unit that has as many
    in hand as there are cores keeps them all until its last batches: so units end one by one. Beside a GPU too, PyTorch
    has one thread per thread of ours: colour maps are fitted on several of these at once.

    `passes` are the threads to hand batches to: the worker's own `crew`, or others that wait for a GPU. `close` ends
    the latter and gives the process its number of threads back.
    """

    def __init__(self, size: int, device: torch.device, crew: Crew) -> None:
        self.size = size
        self._device = device
        on_cpu = device.type == "cpu"
        if on_cpu:
            keep_freed_memory()
        self.ahead = cores() if on_cpu else 1 + PASSES_BESIDE
        self._device_crew = None if on_cpu else Crew(self.ahead, ON_DEVICE, "pass")
        self._launching = None if on_cpu else Crew(0, 1, "launch")  # a lock that is handed on in the order of asking
        self.passes = self._device_crew or crew
        self._threads = torch.get_num_threads()
        torch.set_num_threads(1)

    def close(self) -> None:
        """End the threads that wait for a GPU, and let PyTorch use as many as before."""
        if self._device_crew is not None:
            self._device_crew.shutdown()
        torch.set_num_threads(self._threads)

    @contextmanager
    def passing(self, watch: Stopwatch) -> Iterator[None]:
        """Hold what a pass computes on, a core or a GPU, and count its time."""
        device = self._device_crew
        if device is not None:
            device.take()
        try:
            with watch("model", computes=device is None):
                yield
        finally:
            if device is not None:
                device.done()
                device.leave()  # what else the call does is done beside the next one's pass

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
        with transfer.own_stream(self._device):
            results = [transfer.fetch(self._launch(function, part)) for part in parts]
        return results[0] if len(results) == 1 else tuple(torch.cat(pieces) for pieces in zip(*results, strict=True))

    def _launch(self, function: Callable[..., tuple[Tensor, ...]], part: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Hand a GPU all that a function has it compute, which is awaited elsewhere."""
        if self._launching is None:
            return function(*part)
        self._launching.take()
        try:
            return function(*part)
        finally:
            self._launching.done()


def keep_freed_memory() -> bool:
    """Have glibc keep the memory that tensors free for the next ones; return whether it does: other libraries do not.

    By default it hands large pieces back to the system at once and gets them again page by page: with the passes on
    several threads, that was measured to take a fifth of a generator's time. What is kept is some tensors' worth.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is None:
        return False
    return bool(mallopt(_MMAP_THRESHOLD, 32 << 20)) and bool(mallopt(_TRIM_THRESHOLD, KEPT))  # 32 MB: the most it takes


def _out_of_memory(error: BaseException) -> bool:
    # The CPU allocator has no exception of its own.
    return isinstance(error, (MemoryError, torch.cuda.OutOfMemoryError)) or "can't allocate memory" in str(error)
