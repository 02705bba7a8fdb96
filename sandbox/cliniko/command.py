"""Command line: create missing accounts, write the keys file, and serve until stopped."""

import argparse
import errno
import json
import os
import re
import signal
import sqlite3
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from flask import Flask
from werkzeug.serving import BaseWSGIServer

from sandbox.cliniko.app import APPROVED, create_app
from sandbox.cliniko.errors import SandboxError
from sandbox.cliniko.server import build_server
from sandbox.cliniko.store import Store

SHARDS = {"harbour": "au2"}
MAX_PATIENTS = 200_000


@dataclass(frozen=True)
class AccountOption:
    """An account given on the command line, such as bondi:1200."""

    name: str
    patients: int


class Parser(argparse.ArgumentParser):
    """Report bad input in one sentence, without the usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(1, f"sandbox.cliniko: {message} (see --help)\n")


def account_option(text: str) -> AccountOption:
    name, _, count = text.partition(":")
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,62}", name) or not re.fullmatch(r"[0-9]{1,6}", count or "0"):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form name:patients, like bondi:1200")
    if int(count or 0) > MAX_PATIENTS:
        raise argparse.ArgumentTypeError(f"{text!r} asks for more than {MAX_PATIENTS} patients")
    return AccountOption(name, int(count or 0))


def parser() -> argparse.ArgumentParser:
    parser = Parser(prog="python -m sandbox.cliniko", description="Serve a stand-in Cliniko: its API and its pages.")
    add = parser.add_argument
    add(
        "--database",
        type=Path,
        default=Path(".local/cliniko.sqlite3"),
        help="created if missing (%(default)s)",
    )
    add("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    add("--port", type=int, default=8100, help="port to listen on (%(default)s)")
    add(
        "--account",
        type=account_option,
        action="append",
        default=[],
        metavar="NAME:PATIENTS",
        help="account to create if missing, with invented patients",
    )
    add(
        "--approve",
        action="append",
        default=[],
        metavar="URL",
        help=f"approved App URL ({APPROVED[0]})",
    )
    add("--requests-per-minute", type=int, default=200, metavar="N", help="limit for each key (%(default)s)")
    add("--seed", type=int, default=7, help="seed of the invented people (%(default)s)")
    add("--keys-file", type=Path, help="write the accounts' API keys to this JSON file, readable only by you")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT, and return the exit status."""
    options = parser().parse_args(arguments)
    try:
        run(options)
    except (SandboxError, OSError, sqlite3.Error) as error:
        print(f"sandbox.cliniko: {error}", file=sys.stderr)
        return 1
    return 0


def run(options: argparse.Namespace) -> None:
    """Bind the port before seeding, which takes a while."""
    store = _open(options.database)
    limit, approved = options.requests_per_minute, tuple(options.approve) or APPROVED
    app = create_app(store, requests_per_minute=limit, approved_apps=approved)
    server = _listen(app, options)
    try:
        for each in options.account:
            _create_if_missing(store, each, options.seed)
        if options.keys_file:
            write_keys(store, options.keys_file)
        print(f"Cliniko sandbox on http://{options.host}:{server.port}/", flush=True)
        _serve_until_stopped(server)
    finally:
        server.server_close()
        store.close()


def write_keys(store: Store, path: Path) -> None:
    """Write the file atomically, readable only by its owner."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    keys = {account.name: store.key(account.name) for account in store.accounts()}
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(keys, file, indent=2)
    draft.replace(path)


def _open(path: Path) -> Store:
    try:
        return Store(path)
    except (OSError, sqlite3.Error) as error:
        raise SandboxError(f"Cannot use {path} as the database: {error}.") from None


def _listen(app: Flask, options: argparse.Namespace) -> BaseWSGIServer:
    address = f"{options.host}:{options.port}"
    try:
        return build_server(app, host=options.host, port=options.port)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        reason = "the port is taken" if taken else str(error)
        raise SandboxError(f"Cannot listen on {address} ({reason}); choose another with --port.") from None


def _create_if_missing(store: Store, account: AccountOption, seed: int) -> None:
    if store.account(account.name):
        return
    print(f"Inventing {account.patients} patients for {account.name} …", flush=True)
    store.add_account(account.name, SHARDS.get(account.name, "au1"), seed, account.patients)


def _serve_until_stopped(server: BaseWSGIServer) -> None:
    """Serve until SIGTERM or SIGINT."""

    def stop(*_: object) -> None:
        # Signal handlers run inside the serving loop, and shutdown() waits for that loop.
        threading.Thread(target=server.shutdown, daemon=True).start()

    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, stop)
    server.serve_forever(poll_interval=0.1)
