"""Measure what storing noise maps costs: dB of the reconstruction against bytes per picture, for several packings.

python benchmarks/codec.py --model camvid --pictures ../shared/data/camvid/val --count 16
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from stylize.codec import Floats, decode_noise, encode_noise
from stylize.images import decode_rgb, to_model
from stylize.metrics import psnr
from stylize.models.bundle import load_bundle

Packing = Callable[[Floats], tuple[int, Floats]]  # a map [C, H, W] -> its bytes, and the map as it is read back


def stored(mode: str) -> Packing:
    """Return the packing of `stylize.codec`."""

    def pack(noise_CHW: Floats) -> tuple[int, Floats]:
        blob, scale_C = encode_noise(noise_CHW, mode)  # type: ignore[arg-type]
        return len(blob) + scale_C.nbytes, decode_noise(blob, scale_C, noise_CHW.shape, mode)  # type: ignore[arg-type]

    return pack


def spread(levels: int, reach: float = 1.0) -> Packing:
    """Return the plain packing: codes -levels..levels over `reach` of each channel's peak, no differences."""

    def pack(noise_CHW: Floats) -> tuple[int, Floats]:
        scale_C11 = np.maximum(np.abs(noise_CHW).max(axis=(1, 2), keepdims=True) * reach / levels, 1e-30)
        codes_CHW = np.clip(np.rint(noise_CHW / scale_C11), -levels, levels).astype(np.int8)
        size = len(pa.Codec("zstd", 3).compress(codes_CHW.tobytes(), asbytes=True))
        return size + scale_C11.size * 4, (codes_CHW * scale_C11).astype(np.float32)

    return pack


def stepped(steps: float, *, differences: bool = False) -> Packing:
    """Return the packing of `--noise int8` with other steps per standard deviation, perhaps storing differences."""

    def pack(noise_CHW: Floats) -> tuple[int, Floats]:
        scale_C11 = noise_CHW.std(axis=(1, 2), keepdims=True) / steps
        codes_CHW = np.clip(np.rint(noise_CHW / scale_C11), -127, 127).astype(np.int8)
        written_CHW = np.diff(codes_CHW, axis=2, prepend=np.int8(0)) if differences else codes_CHW
        size = len(pa.Codec("zstd", 1).compress(written_CHW.tobytes(), asbytes=True))
        return size + scale_C11.size * 4, (codes_CHW * scale_C11).astype(np.float32)

    return pack


def raw(noise_CHW: Floats) -> tuple[int, Floats]:
    """Keep a map as it is."""
    return noise_CHW.nbytes, noise_CHW


PACKINGS: dict[str, Packing] = {
    "fp32, raw": raw,
    "fp16 (--noise fp16)": stored("fp16"),
    "8 bits over the peak": spread(127),
    "8 bits over 70 % of it": spread(127, 0.7),
    "6 bits over the peak": spread(31),
    "8 steps per deviation": stepped(8),
    "int8 (--noise int8)": stored("int8"),
    "the same, differences": stepped(4, differences=True),
    "2 steps per deviation": stepped(2),
}


def measure(model: str, pictures: list[Path]) -> Iterator[tuple[str, float, float, float, float]]:
    """Yield per packing: name, mean and worst loss in dB, bytes per picture, milliseconds to pack and unpack one."""
    bundle = load_bundle(model, device="cpu")
    frames = [to_model(decode_rgb(path.read_bytes()), bundle.height, bundle.width) for path in pictures]
    images_BCHW = torch.from_numpy(np.stack(frames))
    codes = bundle.invert(images_BCHW)
    exact_B = psnr(bundle.render(codes.ws_BLD, codes.noise).clamp(-1, 1), images_BCHW)
    print(f"{len(pictures)} pictures, reconstruction {exact_B.mean():.2f} dB before packing")
    for name, pack in PACKINGS.items():
        start = time.perf_counter()
        packed = [[pack(one_CHW) for one_CHW in noise_BCHW.numpy()] for noise_BCHW in codes.noise]
        spent = time.perf_counter() - start
        noise = [torch.from_numpy(np.stack([noise_CHW for _, noise_CHW in row])) for row in packed]
        loss_B = exact_B - psnr(bundle.render(codes.ws_BLD, noise).clamp(-1, 1), images_BCHW)
        size = sum(size for row in packed for size, _ in row) / len(pictures)
        yield name, float(loss_B.mean()), float(loss_B.max()), size, 1e3 * spent / len(pictures)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="camvid")
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--count", type=int, default=16)
    options = parser.parse_args()
    found = sorted(path for path in options.pictures.rglob("*") if path.suffix in (".png", ".jpg"))
    chosen = found[:: max(1, len(found) // options.count)][: options.count]
    print(f"{'packing':24} {'mean loss':>10} {'worst':>9} {'per picture':>12} {'time':>9}")
    for name, mean, worst, size, milliseconds in measure(options.model, chosen):
        print(f"{name:24} {mean:7.4f} dB {worst:6.4f} dB {size / 1e3:9.1f} kB {milliseconds:6.1f} ms")


if __name__ == "__main__":
    main()
