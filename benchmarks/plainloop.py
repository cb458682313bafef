"""What the pipeline is measured against: the same decode, model, colour map and encode in memory, and nothing else.

No storage, no work list, no records, no checks of labels, no shards. Both loops have a thread per core:

- `by_stage` is what one writes by hand: batch after batch, and in it stage after stage, each on all cores (the model a
  part of the batch per core, the rest picture by picture). A stage waits for the slowest of the one before.
- `by_core` gives each core batches of its own, on one thread of PyTorch: no stage ever waits, as fast as the same
  libraries get in one process. A pipeline in which nothing waits either comes out behind it by what it does besides.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stylize import images
from stylize.codec import Floats, decode_noise, encode_noise
from stylize.export import encode_picture
from stylize.metrics import psnr
from stylize.models.bundle import Bundle, load_bundle
from stylize.render import recolour, render_clipped

CORES = os.cpu_count() or 1
Each = Callable[..., Iterable[Any]]  # `map`, or that of a pool
Task = Callable[["Loop", Sequence[int], Each], None]


@dataclass(frozen=True, kw_only=True)
class Inverted:
    """What is kept of a picture: codes, and per noise map its blob and scales."""

    codes_LD: Floats
    noise: list[tuple[bytes, Floats]]


class Loop:
    """Pictures in memory as the files' bytes, and what has been made of them."""

    def __init__(self, model: str, files: Sequence[bytes], batch: int) -> None:
        self.model = model
        self.files = files
        self.batch = batch
        self.bundle: Bundle = load_bundle(model, device="cpu")
        self.inverted: dict[int, Inverted] = {}
        self.written = 0
        self.parts = 1

    def by_core(self, task: Task) -> None:
        """Do all pictures, a batch per core at once."""
        self._begin(parts=1)
        with ThreadPoolExecutor(CORES) as pool:
            list(pool.map(lambda part: task(self, part, map), self._batches()))

    def by_stage(self, task: Task) -> None:
        """Do all pictures, batch after batch, each stage on all cores."""
        self._begin(parts=CORES)
        with ThreadPoolExecutor(CORES) as pool:
            for part in self._batches():
                task(self, part, pool.map)

    def spread(self, each: Each, function: Callable[..., Sequence[Tensor]], *batch: Tensor) -> list[Tensor]:
        """Return what a function makes of a batch, done in as many parts as the loop has cores for one."""
        if self.parts == 1:
            return list(function(*batch))
        parts = zip(*(tensor.chunk(self.parts) for tensor in batch), strict=True)
        return [torch.cat(pieces) for pieces in zip(*each(lambda part: function(*part), parts), strict=True)]

    def _begin(self, *, parts: int) -> None:
        torch.set_num_threads(1)
        self.parts = parts
        self.bundle = load_bundle(self.model, device="cpu")  # as the pipeline does in each run

    def _batches(self) -> Iterator[range]:
        return (range(i, min(i + self.batch, len(self.files))) for i in range(0, len(self.files), self.batch))


def invert(loop: Loop, part: Sequence[int], each: Each) -> None:
    """Invert pictures, and measure the reconstruction before and after packing."""
    bundle = loop.bundle

    def load(i: int) -> Floats:
        return images.to_model(images.decode_rgb(loop.files[i]), bundle.height, bundle.width)

    def quality(images_BCHW: Tensor, ws_BLD: Tensor, *noise: Tensor) -> tuple[Tensor]:
        return (psnr(bundle.render(ws_BLD, noise).clamp(-1, 1), images_BCHW),)

    def encode(images_BCHW: Tensor) -> tuple[Tensor, ...]:
        codes = bundle.invert(images_BCHW)
        return codes.ws_BLD, *codes.noise, *quality(images_BCHW, codes.ws_BLD, *codes.noise)

    def pack(place: int) -> list[tuple[bytes, Floats]]:
        return [encode_noise(noise_BCHW[place].numpy()) for noise_BCHW in noise]

    images_BCHW = torch.from_numpy(np.stack(list(each(load, part))))
    ws_BLD, *noise, _ = loop.spread(each, encode, images_BCHW)
    packed = list(each(pack, range(len(part))))
    loop.spread(each, quality, images_BCHW, ws_BLD, *_restored(bundle, packed, each))
    for place, i in enumerate(part):
        loop.inverted[i] = Inverted(codes_LD=ws_BLD[place].numpy(), noise=packed[place])


def mix(loop: Loop, part: Sequence[int], each: Each) -> None:
    """Recolour pictures, each with the style of the next one, and encode them as PNG."""
    bundle, own = loop.bundle, [loop.inverted[i] for i in part]
    noise = _restored(bundle, [item.noise for item in own], each)
    ws_BLD = torch.from_numpy(np.stack([item.codes_LD for item in own]))
    others = [loop.inverted[(i + 1) % len(loop.files)] for i in part]
    others_BLD = torch.from_numpy(np.stack([item.codes_LD for item in others]))

    def render(own_BLD: Tensor, others_BLD: Tensor, *noise: Tensor) -> tuple[Tensor, Tensor]:
        return render_clipped(bundle, own_BLD, noise), render_clipped(bundle, others_BLD, noise)

    base_BCHW, styled_BCHW = loop.spread(each, render, ws_BLD, others_BLD, *noise)

    def finish(place: int) -> int:
        source_HWC = images.decode_rgb(loop.files[part[place]])
        picture_HWC = recolour(source_HWC, base_BCHW[place], styled_BCHW[place])
        return len(encode_picture(picture_HWC, "a.png"))

    loop.written += sum(each(finish, range(len(part))))


def _restored(bundle: Bundle, packed: Sequence[list[tuple[bytes, Floats]]], each: Each) -> list[Tensor]:
    def restore(item: list[tuple[bytes, Floats]]) -> list[Floats]:
        return [decode_noise(*blobs, shape) for blobs, shape in zip(item, bundle.noise_shapes, strict=True)]

    return [torch.from_numpy(np.stack(maps)) for maps in zip(*each(restore, packed), strict=True)]
