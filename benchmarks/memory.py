"""Measure that peak memory does not grow with the dataset: `invert` and `mix` of 200 and of 5,000 small pictures.

Each run is a process of its own; its peak resident memory is what the kernel says at its end.

    python benchmarks/memory.py
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from stylize.images import encode
from stylize.models.bundle import Bundle
from stylize.models.encoder import EncoderConfig
from stylize.models.generator import GeneratorConfig

RESULTS = Path(__file__).parent / "results"
COUNTS = (200, 5000)
RUN = """
import json, resource, sys
import stylize
stage, arguments = sys.argv[1], json.loads(sys.argv[2])
summary = getattr(stylize, stage)(**arguments)
assert summary.rows == int(sys.argv[3]), summary
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def prepare(folder: Path) -> None:
    """Write a small model, and one dataset of 48x64 pictures with labels per count."""
    generator = GeneratorConfig(const_size=(3, 4), channels=(8, 8, 8, 8), z_dim=8, w_dim=8)
    encoder = EncoderConfig(stem=8, widths=(8, 8, 8, 8), pyramid=8, head=8)
    (folder / "tiny.safetensors").write_bytes(Bundle.create(generator, encoder, seed=1).to_bytes())
    rng = np.random.default_rng(0)
    for count in COUNTS:
        for name in ("images", "labels"):
            (folder / f"data{count}" / name).mkdir(parents=True)
        for index in range(count):
            picture = encode(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8), "png")
            for name in ("images", "labels"):
                (folder / f"data{count}" / name / f"{index:05d}.png").write_bytes(picture)


def peak(stage: str, rows: int, **arguments: object) -> float:
    """Return the peak memory of a stage in a fresh process, in MB."""
    command = [sys.executable, "-c", RUN, stage, json.dumps(arguments), str(rows)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def measure(folder: Path) -> dict[str, dict[str, float]]:
    """Return MB by stage and count, and the ratio of the two counts."""
    peaks: dict[str, dict[str, float]] = {"invert": {}, "mix": {}}
    for count in COUNTS:
        cache = str(folder / f"cache{count}")
        model = str(folder / "tiny.safetensors")
        data = str(folder / f"data{count}")
        peaks["invert"][str(count)] = round(peak("invert", count, dataset=data, cache=cache, model=model), 1)
        peaks["mix"][str(count)] = round(peak("mix", count, cache=cache, out=str(folder / f"out{count}")), 1)
    small, large = map(str, COUNTS)
    for found in peaks.values():
        found["ratio"] = round(found[large] / found[small], 3)
    return peaks


def main() -> None:
    """Print and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        prepare(Path(name))
        peaks = measure(Path(name))
    (RESULTS / "memory.json").write_text(json.dumps(peaks, indent=2) + "\n")
    lines = ["# Peak memory", "", "Made by `python benchmarks/memory.py`: MB of the whole process, by pictures.", ""]
    lines += [f"| | {COUNTS[0]} | {COUNTS[1]} | ratio |", "|---|---|---|---|"]
    lines += [f"| {stage} | {' | '.join(str(value) for value in found.values())} |" for stage, found in peaks.items()]
    text = "\n".join(lines) + "\n"
    (RESULTS / "memory.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
