"""`python -m sandbox services start|stop|status` and `python -m sandbox demo`."""

import argparse
from pathlib import Path

from embedded import services
from sandbox import demo
from sandbox.demo_data import Options

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description="A stand-in world to run and test in.")
    commands = parser.add_subparsers(dest="command", required=True)
    action = commands.add_parser("services", help="embedded PostgreSQL and broker of this checkout")
    action.add_argument("action", choices=["start", "stop", "status"])
    demo.add_arguments(commands.add_parser("demo", help="the whole product with two clinics, until Ctrl-C"))
    chosen = vars(parser.parse_args())
    if chosen.pop("command") == "services":
        services.main(ROOT, chosen["action"])
    else:
        demo.main(ROOT, Options(**chosen))


if __name__ == "__main__":
    main()
