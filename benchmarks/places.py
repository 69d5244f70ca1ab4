"""Where benchmarks find their data, and where their rows go. Loads nothing else: some scripts choose threads first."""

import os
from pathlib import Path

SHARED = Path(os.environ.get("MANYFIELDS_SHARED", Path(__file__).parents[2] / "shared"))
MODELS = SHARED / "data" / "models"
RESULTS = Path(__file__).parent / "results"
