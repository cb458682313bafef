from __future__ import annotations

import sys
from pathlib import Path

# Benchmarks are scripts: what they share lies beside them, not in a package that is installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
