"""Batches are cut smaller when memory runs out, and the results are those of the whole batch."""

from __future__ import annotations

import platform
import threading
import time
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from pipelines.batching import Batching, keep_freed_memory
from pipelines.crew import PASS, Crew
from pipelines.flow import Stopwatch
from stylize.errors import FatalError


@pytest.fixture
def crew() -> Iterator[Crew]:
    made = Crew(2, 2, "work")
    yield made
    made.shutdown()


@pytest.fixture
def batching(crew: Crew) -> Iterator[Batching]:
    made = Batching(8, torch.device("cpu"), crew)
    yield made
    made.close()


def test_results_are_those_of_the_whole_batch_at_every_size(batching: Batching) -> None:
    rows = torch.arange(24.0).reshape(8, 3)
    for size in (8, 4, 3, 1):
        batching.size = size
        doubled, summed = batching(lambda a, b: (a * 2, a.sum(1) + b), rows, torch.arange(8.0))
        assert torch.equal(doubled, rows * 2)
        assert torch.equal(summed, rows.sum(1) + torch.arange(8.0))


@pytest.mark.parametrize(
    "error",
    [RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"), MemoryError()],
    ids=["allocator", "python"],
)
def test_the_batch_is_halved_until_it_fits_and_stays_so(batching: Batching, error: Exception) -> None:
    sizes: list[int] = []

    def greedy(rows: Tensor) -> tuple[Tensor]:
        sizes.append(len(rows))
        if len(rows) > 2:
            raise error
        return (rows + 1,)

    for _ in range(2):
        (result,) = batching(greedy, torch.zeros(8, 2))
        assert torch.equal(result, torch.ones(8, 2))
    assert sizes == [8, 4, 2, 2, 2, 2, 2, 2, 2, 2]


def test_a_picture_that_does_not_fit_alone_is_fatal_and_says_what_to_do(batching: Batching) -> None:
    def hopeless(rows: Tensor) -> tuple[Tensor]:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(FatalError, match=r"single picture.*smaller model"):
        batching(hopeless, torch.zeros(8))


def test_other_errors_pass_through(batching: Batching) -> None:
    def broken(rows: Tensor) -> tuple[Tensor]:
        raise RuntimeError("size mismatch")

    with pytest.raises(RuntimeError, match="size mismatch"):
        batching(broken, torch.zeros(8))


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_passes_and_colour_maps_have_one_thread_each_until_closed(device: str, crew: Crew) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        batching = Batching(4, torch.device(device), crew)
        assert torch.get_num_threads() == 1
        batching.close()
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_on_a_gpu_one_pass_computes_while_another_is_on_its_way_and_none_holds_a_core(crew: Crew) -> None:
    batching, watch = Batching(4, torch.device("cuda"), crew), Stopwatch(crew)
    under_way, end = threading.Semaphore(0), threading.Event()

    def make_pass(_: int) -> bool:
        with batching.passing(watch):
            under_way.release()
            return end.wait(5)

    turn = batching.passes.turn(PASS)
    passes = [turn.submit(make_pass, number) for number in range(3)]
    assert under_way.acquire(timeout=5)
    assert under_way.acquire(timeout=5)
    assert not under_way.acquire(timeout=0.02)
    assert crew._free == 2
    end.set()
    assert [one.result(5) for one in passes] == [True] * 3
    assert set(watch.seconds) == {"model"}
    batching.close()


def test_a_gpu_gets_the_passes_of_a_call_together_and_the_oldest_unit_first(crew: Crew) -> None:
    batching, watch = Batching(4, torch.device("cuda"), crew), Stopwatch(crew)
    begun: list[int] = []
    order: list[int] = []
    ends = [threading.Event() for _ in range(4)]

    def compute(number: Tensor) -> tuple[Tensor]:
        order.append(int(number[0]))
        ends[int(number[0])].wait(20)
        order.append(int(number[0]))
        return (number,)

    def make(number: int) -> None:
        begun.append(number)
        with batching.passing(watch):
            batching(compute, torch.full((4,), number))

    older, younger = batching.passes.turn(PASS), batching.passes.turn(PASS)
    calls = [younger.submit(make, 1), younger.submit(make, 2), younger.submit(make, 3), older.submit(make, 0)]
    while not order:
        time.sleep(0.001)
    ends[order[0]].set()  # now the second one computes, and another call may begin
    while len(begun) < 3:
        time.sleep(0.001)
    assert set(begun) == {1, 2, 0}  # not 3, which was handed in before but is of the younger unit
    for end in ends:
        end.set()
    for call in calls:
        call.result(20)
    assert order[::2] == order[1::2]  # none began amid another
    batching.close()


def test_on_a_cpu_passes_are_calls_like_others_and_hold_a_core(crew: Crew) -> None:
    batching = Batching(4, torch.device("cpu"), crew)
    assert batching.passes is crew
    with batching.passing(Stopwatch(crew)):
        assert crew._free == 1
    assert crew._free == 2
    batching.close()


def test_glibc_takes_the_setting_that_keeps_freed_memory() -> None:
    assert keep_freed_memory() == (platform.libc_ver()[0] == "glibc")
