"""Ask in which pictures rain or snow is seen to fall: it should be those of rain and snow, and no others.

    python benchmarks/falling.py ../shared/data/camvid/train ../shared/data/camvid/dusk WORK/exemplars/rain

WORK is that of domain_generalization.py streets. The table says of each folder how many pictures it has, in how many of
them something falls, and how many particles these have in a tile (see `stylize.particles`).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from stylize.images import decode_rgb
from stylize.particles import particles_of


def densities(folder: Path) -> list[float]:
    """Return how many particles each picture of a folder has in a tile."""
    known = Image.registered_extensions()
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in known)
    return [particles_of(decode_rgb(path.read_bytes())).density for path in paths]


def main() -> None:
    """Parse, measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="+", help="with pictures, at any depth")
    lines = ["| pictures of | | something falls in | in a tile of those |", "|---|---|---|---|"]
    for folder in parser.parse_args().folder:
        found = densities(folder)
        if not found:
            parser.error(f"{folder} has no pictures")
        falling = [density for density in found if density]
        range_ = f"{np.min(falling):.1f} to {np.max(falling):.1f}" if falling else ""
        lines.append(f"| {folder} | {len(found)} | {len(falling)} | {range_} |")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
