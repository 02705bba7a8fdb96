"""Where the bench keeps what, and the one error that ends it with a sentence."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".local" / "bench"  # services, virtual environments, logs, results
PICTURE = ROOT / "docs" / "pictures" / "bench-sync.png"


class BenchError(Exception):
    """The bench, or one subject of it, cannot go on; the message is for whoever ran it."""
