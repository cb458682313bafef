"""Tensors to a device and back: what can be seen of it without a GPU, and the calls that a GPU would get."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest
import torch

from stylize.models import transfer

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def test_on_a_cpu_nothing_is_copied_or_pinned() -> None:
    tensor = torch.arange(6.0)
    with transfer.own_stream(CPU):
        assert transfer.send(tensor, CPU) is tensor
        assert transfer.fetch([tensor])[0] is tensor


def test_without_cuda_a_device_that_stands_for_one_needs_no_stream() -> None:
    with transfer.own_stream(GPU):
        pass


def test_to_a_gpu_a_tensor_goes_pinned_and_without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    pinned = mock.Mock()
    pinned.to.side_effect = lambda *args, **options: calls.append((args, options))
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda _: pinned)
    transfer.send(torch.zeros(2), GPU)
    assert calls == [((GPU,), {"non_blocking": True})]


def test_from_a_gpu_all_copies_are_queued_before_any_is_awaited(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    there = [mock.Mock(is_cuda=True, shape=(2,), dtype=torch.float32, device=GPU) for _ in range(2)]

    class Pinned:
        def copy_(self, tensor: Any, *, non_blocking: bool) -> Pinned:
            assert non_blocking
            order.append("copy")
            return self

    def empty(*_: Any, pin_memory: bool, **__: Any) -> Pinned:
        assert pin_memory
        return Pinned()

    monkeypatch.setattr(torch, "empty", empty)
    stream = mock.Mock(synchronize=lambda: order.append("wait"))
    monkeypatch.setattr(torch.cuda, "current_stream", lambda _: stream)
    assert len(transfer.fetch(there)) == 2
    assert order == ["copy", "copy", "wait"]
