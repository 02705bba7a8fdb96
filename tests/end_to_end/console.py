"""Visit the console's pages, for screenshots and accessibility tests."""

import json
import secrets
import sys
from collections.abc import Callable

from playwright.sync_api import Page

from tests.end_to_end.passkeys import add_device
from tests.end_to_end.stack import Stack

PASSWORD = "correct horse 42"
# Two weeks of daily stats, and a record that could not be read.
ADD_DATA = """
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
        values = {"payload": '{"id": "43", "first_name": "Ada", "date_of_birth": "soon"}', "patient_id": "43"}
        values |= {"reason": "date_of_birth is not a time."}
        RefusedPayload.objects.get_or_create(resource="patients", cliniko_id="43", defaults=values)
    for ago in range(1, 14):
        stats = {"launches": 7 * ago % 31, "patients": 40, "lag_by_hour": [(hour * 37) % 90 for hour in range(24)]}
        DailyStats.objects.get_or_create(clinic=clinic, day=today - timedelta(days=ago), defaults=stats)
    daily_stats.measure(clinic, now=timezone.now())
"""


def visit_console(page: Page, stack: Stack, visit: Callable[[str], None]) -> None:
    """Sign in as an operator, open every screen of the console and call `visit` with its name."""
    base = f"http://localhost:{stack.options.web_port}"
    stack.supervisor.run(sys.executable, "manage.py", "shell", "--verbosity=0", "--command", ADD_DATA)
    sign_in_operator(page, stack, visit)
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
        visit(name)
    page.get_by_label("Reason").fill("Ticket 311: a date of birth that can't be read")
    page.get_by_role("button", name="Notify owners and open").click()
    visit("ops-kept")
    page.get_by_role("button", name="Open record").first.click()
    visit("ops-opened")
    page.goto(f"{base}/ops/log")
    visit("ops-log")
    page.goto(f"{base}/ops/account/")
    visit("ops-own-sign-in")
    page.locator(".menu > summary").click()
    page.get_by_role("button", name="Sign out", exact=True).click()
    visit("ops-sign-in")


def sign_in_operator(page: Page, stack: Stack, visit: Callable[[str], None] = lambda _: None) -> None:
    """Create an operator, who accepts the invitation and adds a passkey. Ends on the list of clinics."""
    email = f"ana-{secrets.token_hex(3)}@sidechart.example"
    made = stack.supervisor.run(sys.executable, "manage.py", "ops", "create", email, "--json")
    page.goto(json.loads(made.splitlines()[-1])["invite_url"])
    visit("ops-invitation")
    page.get_by_label("Your name").fill("Ana")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password again").fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()
    visit("ops-second-factor")
    add_device(page)
    page.get_by_role("link", name="Add a passkey").click()
    page.get_by_role("button", name="Create passkey").click()
    page.get_by_role("link", name="I've saved them").click()
    page.get_by_role("heading", name="Clinics").wait_for()
