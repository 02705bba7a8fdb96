"""The console's pages, one after the other, for whoever looks at pages: pictures and axe."""

import json
import secrets
import sys
from collections.abc import Callable

from playwright.sync_api import Page

from tests.end_to_end.passkeys import add_device
from tests.end_to_end.stack import Stack

PASSWORD = "correct horse 42"
# Two weeks of numbers, and a record that could not be read.
FURNISH = """
from datetime import timedelta
from django.utils import timezone
from ops.monitoring import daily_stats
from ops.models import DailyStats
from sync.models import RefusedPayload
from tenants.context import enter_clinic
from tenants.models import Clinic
today = timezone.now().date()
for clinic in Clinic.objects.working():
    with enter_clinic(clinic):
        said = {"payload": '{"id": "43", "first_name": "Ada", "date_of_birth": "soon"}', "patient_id": "43"}
        said |= {"reason": "date_of_birth is not a time."}
        RefusedPayload.objects.get_or_create(resource="patients", cliniko_id="43", defaults=said)
    for ago in range(1, 14):
        made = {"launches": 7 * ago % 31, "patients": 40, "lag_by_hour": [(hour * 37) % 90 for hour in range(24)]}
        DailyStats.objects.get_or_create(clinic=clinic, day=today - timedelta(days=ago), defaults=made)
    daily_stats.measure(clinic, now=timezone.now())
"""


def walk_console(page: Page, stack: Stack, look: Callable[[str], None]) -> None:
    """Become one of ops and lead the page past every screen of the console."""
    base = f"http://localhost:{stack.options.web_port}"
    stack.supervisor.run(sys.executable, "manage.py", "shell", "--verbosity=0", "--command", FURNISH)
    become_ops(page, stack, look)
    for name, path in (
        ("ops-clinics", "/ops/"),
        ("ops-nothing-found", "/ops/?q=nothing"),
        ("ops-new", "/ops/new"),
        ("ops-clinic", "/ops/clinics/bondi/"),
        ("ops-invite", "/ops/clinics/bondi/invite"),
        ("ops-suspend", "/ops/do/suspend?clinic=bondi&clinic=harbour"),
        ("ops-rename", "/ops/do/rename?clinic=bondi"),
        ("ops-look", "/ops/clinics/bondi/look"),
    ):
        page.goto(f"{base}{path}")
        look(name)
    page.get_by_label("Reason").fill("Ticket 311: a birth date that cannot be read")
    page.get_by_role("button", name="Notify owners and open").click()
    look("ops-kept")
    page.get_by_role("button", name="Open record").first.click()
    look("ops-opened")
    page.goto(f"{base}/ops/log")
    look("ops-log")
    page.goto(f"{base}/ops/account/")
    look("ops-own-sign-in")
    page.locator(".menu > summary").click()
    page.get_by_role("button", name="Sign out").click()
    look("ops-sign-in")


def become_ops(page: Page, stack: Stack, look: Callable[[str], None] = lambda _: None) -> None:
    """By an invitation and a passkey; ends on the list of clinics."""
    email = f"ana-{secrets.token_hex(3)}@sidechart.example"
    made = stack.supervisor.run(sys.executable, "manage.py", "ops", "create", email, "--json")
    page.goto(json.loads(made.splitlines()[-1])["invite_url"])
    look("ops-invitation")
    page.get_by_label("Your name").fill("Ana")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password again").fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()
    look("ops-second-factor")
    add_device(page)
    page.get_by_role("link", name="Add a passkey").click()
    page.get_by_role("button", name="Create passkey").click()
    page.get_by_role("link", name="I've saved them").click()
    page.get_by_role("heading", name="Clinics").wait_for()
