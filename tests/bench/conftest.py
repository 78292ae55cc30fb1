"""The benchmarks are scripts: their folder goes on the path while their tests run."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench" / "peers"))
