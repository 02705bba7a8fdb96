"""`python -m sandbox services start|stop|status` and `python -m sandbox demo`."""

import argparse
from pathlib import Path

from sandbox import embedded

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description="A stand-in world to run and test in.")
    commands = parser.add_subparsers(dest="command", required=True)
    services = commands.add_parser("services", help="embedded PostgreSQL and broker of this checkout")
    services.add_argument("action", choices=["start", "stop", "status"])
    chosen = parser.parse_args()
    embedded.main(ROOT, chosen.action)


if __name__ == "__main__":
    main()
