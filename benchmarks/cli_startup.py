"""Measure how fast `stylize --help` answers: 20 fresh processes each, warm file cache.

python benchmarks/cli_startup.py > benchmarks/results/cli_startup.txt

On a busy machine the processor time is the figure to compare.
"""

from __future__ import annotations

import resource
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


def measure(script: str) -> tuple[float, float]:
    """Return wall and processor time in ms of one fresh process that runs `script`."""
    start, used = time.perf_counter(), processor_time()
    subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, stdout=subprocess.DEVNULL, check=True)
    return 1000 * (time.perf_counter() - start), 1000 * (processor_time() - used)


def processor_time() -> float:
    """Return the seconds that all children of this process have computed."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Print one line per script."""
    print(f"median of {RUNS} processes, ms     wall  processor")
    for name, script in SCRIPTS.items():
        measure(script)  # fills the file cache
        walls, processor = zip(*(measure(script) for _ in range(RUNS)), strict=True)
        print(f"{name:30} {statistics.median(walls):7.0f} {statistics.median(processor):10.0f}")


if __name__ == "__main__":
    main()
