"""What is measured beside the book, each file by itself: ``python -m benchmarks.NAME``."""

import sys
from pathlib import Path

# The build's own modules serve the benchmarks too.
sys.path.append(str(Path(__file__).resolve().parent.parent / "book" / "_ext"))
