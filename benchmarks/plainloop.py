"""What the pipeline is measured against: the same decode, model, colour map and encode in memory, and nothing else.

No storage, no work list, no records, no checks of labels, no shards. Each core has a batch of its own, on one thread of
PyTorch, as in the pipeline: as fast as the same libraries get in one process.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

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
Task = Callable[["Loop", Sequence[int]], None]


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

    def run(self, task: Task) -> None:
        """Do all pictures, a batch per core at once."""
        torch.set_num_threads(1)
        self.bundle = load_bundle(self.model, device="cpu")  # as the pipeline does in each run
        with ThreadPoolExecutor(CORES) as pool:
            list(pool.map(lambda part: task(self, part), self._batches()))

    def _batches(self) -> Iterator[range]:
        return (range(i, min(i + self.batch, len(self.files))) for i in range(0, len(self.files), self.batch))


def invert(loop: Loop, part: Sequence[int]) -> None:
    """Invert pictures, and measure the reconstruction before and after packing."""
    bundle = loop.bundle
    frames = [images.to_model(images.decode_rgb(loop.files[i]), bundle.height, bundle.width) for i in part]
    images_BCHW = torch.from_numpy(np.stack(frames))
    codes = bundle.invert(images_BCHW)
    psnr(bundle.render(codes.ws_BLD, codes.noise).clamp(-1, 1), images_BCHW)
    packed = [[encode_noise(noise_BCHW[place].numpy()) for noise_BCHW in codes.noise] for place in range(len(part))]
    restored = [_restore(bundle, packed, index) for index in range(2)]
    psnr(bundle.render(codes.ws_BLD, restored).clamp(-1, 1), images_BCHW)
    for place, i in enumerate(part):
        loop.inverted[i] = Inverted(codes_LD=codes.ws_BLD[place].numpy(), noise=packed[place])


def mix(loop: Loop, part: Sequence[int]) -> None:
    """Recolour pictures, each with the style of the next one, and encode them as PNG."""
    bundle, own = loop.bundle, [loop.inverted[i] for i in part]
    noise = [_restore(bundle, [item.noise for item in own], index) for index in range(2)]
    ws_BLD = torch.from_numpy(np.stack([item.codes_LD for item in own]))
    others = [loop.inverted[(i + 1) % len(loop.files)] for i in part]
    base_BCHW = render_clipped(bundle, ws_BLD, noise)
    styled_BCHW = render_clipped(bundle, torch.from_numpy(np.stack([item.codes_LD for item in others])), noise)
    for place, i in enumerate(part):
        source_HWC = images.decode_rgb(loop.files[i])
        picture_HWC = recolour(source_HWC, base_BCHW[place], styled_BCHW[place])
        loop.written += len(encode_picture(picture_HWC, "a.png"))


def _restore(bundle: Bundle, packed: Sequence[list[tuple[bytes, Floats]]], index: int) -> Tensor:
    shape = bundle.noise_shapes[index]
    return torch.from_numpy(np.stack([decode_noise(*item[index], shape) for item in packed]))
