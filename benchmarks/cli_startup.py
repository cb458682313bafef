"""Measure how fast `stylize --help` answers: the median of 20 fresh processes, warm file cache."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
RUNS = 20
SCRIPTS = {
    "python alone": "pass",
    "import stylize": "import stylize",
    "stylize --help": "from cli.main import main; main(['--help'])",
    "stylize invert --help": "from cli.main import main; main(['invert', '--help'])",
    "stylize mix --help": "from cli.main import main; main(['mix', '--help'])",
}


def seconds(script: str) -> float:
    """Return the wall time of one fresh process that runs `script`."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def main() -> None:
    """Print one line per script."""
    print(f"{'':22}  median    worst   (ms, {RUNS} processes)")
    for name, script in SCRIPTS.items():
        seconds(script)  # fills the file cache
        times = sorted(1000 * seconds(script) for _ in range(RUNS))
        print(f"{name:22} {statistics.median(times):7.0f}  {times[-1]:7.0f}")


if __name__ == "__main__":
    main()
