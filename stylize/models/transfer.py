"""Tensors on their way to a GPU and back, so that copies overlap with what other threads have it compute.

A copy runs beside the computation only from and to pinned memory, and on another stream. On other devices all this
comes down to `Tensor.to`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor


def own_stream(device: torch.device) -> AbstractContextManager[Any]:
    """Return a context in which a GPU's work is queued apart from that of other threads; nothing elsewhere."""
    if device.type != "cuda" or not torch.cuda.is_available():
        return nullcontext()
    stream = torch.cuda.Stream(device)
    stream.wait_stream(torch.cuda.default_stream(device))  # on which the weights were copied
    return torch.cuda.stream(stream)


def send(tensor: Tensor, device: torch.device) -> Tensor:
    """Return a tensor on a device; to a GPU by way of pinned memory, without waiting for the copy to end."""
    if device.type != "cuda" or tensor.device.type != "cpu":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def fetch(tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Return tensors on the CPU; all copies from a GPU are queued at once, and awaited together."""
    results = tuple(_copy(tensor) if tensor.is_cuda else tensor.cpu() for tensor in tensors)
    if any(tensor.is_cuda for tensor in tensors):
        torch.cuda.current_stream(next(tensor.device for tensor in tensors if tensor.is_cuda)).synchronize()
    return results


def _copy(tensor: Tensor) -> Tensor:
    pinned = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    return pinned.copy_(tensor, non_blocking=True)
