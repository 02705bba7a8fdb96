"""Alert rules use existing metrics and runbooks, and runbooks use existing commands."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from django.test import Client

from ops.management.commands.clinic import Command
from sync.models import Connection
from sync.walk import run as walk_run
from tenants.context import clinic_context
from tests.cliniko_sandbox import Sandbox
from tests.services import ROOT

DOCS = ROOT / "docs"
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load((DOCS / "alerts.yml").read_text())["groups"] for rule in group["rules"]
]
RUNBOOKS = sorted((DOCS / "runbooks").glob("*.md"))
OF_PROMETHEUS = {"up", "probe_success"}
FUNCTIONS = {"sum", "rate", "min", "time", "absent", "histogram_quantile", "predict_linear", "by", "or", "le"}


def families() -> set[str]:
    lines = Client(HTTP_HOST="localhost").get("/metrics").content.decode().splitlines()
    return {line.split()[2] for line in lines if line.startswith("# TYPE")}


def names_in(expression: str) -> set[str]:
    plain = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\"[^\"]*\"", "", expression)
    return set(re.findall(r"[a-z_]{2,}", plain)) - FUNCTIONS


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands() -> list[tuple[str, str]]:
    """Return every `manage.py` command in the runbooks with its page."""
    found = []
    for page in RUNBOOKS:
        for text in re.findall(r"manage\.py ([^\n`|)]+)", page.read_text()):
            words = re.split(r"\s+#|\s+<|;|\s>", text)[0].strip()
            if "…" not in words:
                found.append((page.name, words))
    return found


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_each_alert_uses_existing_metrics(db: None, rule: dict[str, Any]) -> None:
    endings = ("", "_total", "_count", "_sum", "_bucket")
    existing = {name + ending for name in families() for ending in endings} | OF_PROMETHEUS
    assert names_in(rule["expr"])
    assert names_in(rule["expr"]) <= existing


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_each_alert_links_to_a_section_of_a_runbook(rule: dict[str, Any]) -> None:
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert anchor in anchors(ROOT / page)
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"]["summary"].endswith(".")
    assert all(rule["expr"].count(opening) == rule["expr"].count(closing) for opening, closing in ("()", "{}", "[]"))
    assert re.fullmatch(r"\d+[mh]", rule.get("for", "0m"))


def test_every_metric_is_documented(db: None) -> None:
    page = (DOCS / "metrics.md").read_text()
    assert set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == families()


@pytest.mark.parametrize(("page", "words"), commands(), ids=lambda each: each.replace(" ", "_")[:60])
def test_commands_in_runbooks_exist(page: str, words: str) -> None:
    name, *rest = shlex.split(words)
    if name == "clinic":
        Command().create_parser("manage.py", "clinic").parse_args(rest)
    else:
        assert name in {"backup", "migrate"}


@pytest.mark.parametrize("page", RUNBOOKS, ids=lambda page: page.name)
def test_links_in_runbooks_work(page: Path) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve()
        assert target.exists()
        assert not anchor or anchor in anchors(target)


def test_a_foreground_sync_recovers_a_clinic_after_a_401_storm(sandbox: Sandbox) -> None:
    sandbox.connect("bondi")
    with clinic_context("bondi"):
        Connection.objects.update(state="key_invalid", key_state="invalid")
        assert walk_run.run_slice(seconds=5, pages=5).blocked
    call_command("clinic", "sync", "bondi", "--json")
    with clinic_context("bondi"):
        connection = Connection.objects.get()
        assert (connection.state, connection.key_state) == ("ok", "ok")
