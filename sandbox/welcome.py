"""What the demo says once it is up: what to open, who to sign in as, what to try."""

from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from sandbox.cast import Options

TRY = (
    "Open a patient in Cliniko, choose Open in > Sidechart, sign in. Change the patient in Cliniko and open it again.",
    "Mail that Sidechart sends lands in .local/mail/, logs in .local/logs/. Ctrl-C stops everything.",
)


def show(console: Console, options: Options, seconds: float) -> None:
    """Print the panel."""
    content = Group(_addresses(options), Text(), _people(options), Text(), *map(Text, TRY))
    console.print(Panel(content, title=f"Sidechart is up after {seconds:.0f} s", border_style="green", padding=(1, 2)))


def _addresses(options: Options) -> Table:
    table = Table("Open", "Cliniko (sandbox)", "Sidechart", box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for clinic in options.clinics:
        table.add_row(clinic.name, options.cliniko_url(clinic), f"http://{clinic.label}.localhost:{options.web_port}/")
    return table


def _people(options: Options) -> Table:
    table = Table("Sign in as", "Password", box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for clinic in options.clinics:
        for person in clinic.people:
            table.add_row(person.email, person.password)
    return table
