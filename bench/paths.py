"""Paths of the bench, and its error."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".local" / "bench"  # services, virtual environments, logs, results
PICTURE = ROOT / "docs" / "pictures" / "bench-sync.png"


class BenchError(Exception):
    """The bench or one of its subjects failed. The message is one sentence for the terminal."""
