"""`python -m sandbox services start|stop|status`, `python -m sandbox demo` and `python -m sandbox manage COMMAND`."""

import argparse
from pathlib import Path

from embedded import services
from sandbox import demo
from sandbox.demo_data import DemoOptions

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description="Run the embedded services or the demo.")
    commands = parser.add_subparsers(dest="command", required=True)
    action = commands.add_parser("services", help="manage this checkout's embedded PostgreSQL and broker")
    action.add_argument("action", choices=["start", "stop", "status"])
    demo.add_arguments(commands.add_parser("demo", help="run Sidechart with two clinics until Ctrl-C"))
    manage = commands.add_parser("manage", help="a manage.py command in the running demo")
    manage.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND", help="such as: clinic list")
    chosen = vars(parser.parse_args())
    command = chosen.pop("command")
    if command == "services":
        services.main(ROOT, chosen["action"])
    elif command == "manage":
        demo.manage(ROOT, chosen["words"])
    else:
        demo.main(ROOT, DemoOptions(**chosen))


if __name__ == "__main__":
    main()
