"""What the demo says once it is up: what to open, who to sign in as, what to try."""

from collections.abc import Iterator

from rich.console import Console, Group
from rich.panel import Panel
from rich.text import Text

from sandbox.demo_data import OPS, DemoClinic, Options

TRY = (
    "Open a patient in Cliniko, choose Open in > Sidechart, sign in; change the patient in Cliniko and do it again.",
    "Sidechart's mail lands in .local/mail/, logs in .local/logs/. Ctrl-C stops everything.",
)


def show(console: Console, options: Options, seconds: float) -> None:
    """Print the panel."""
    lines = [Text.from_markup(line) for clinic in options.clinics for line in _about(options, clinic)]
    lines += [Text.from_markup(line) for line in _about_ops(options)]
    content = Group(*lines, *map(Text, TRY))
    console.print(Panel(content, title=f"Sidechart is up after {seconds:.0f} s", border_style="green", padding=(1, 2)))


def _about(options: Options, clinic: DemoClinic) -> Iterator[str]:
    yield f"[bold]{clinic.name}[/bold]"
    yield f"  Cliniko    {options.cliniko_url(clinic)}"
    yield f"  Sidechart  {options.sidechart_url(clinic)}"
    for person in clinic.people:
        yield f"  Sign in    {person.email}  [cyan]{person.password}[/cyan]"
    yield ""


def _about_ops(options: Options) -> Iterator[str]:
    yield "[bold]Console, for whoever looks after the clinics[/bold]"
    yield f"  Sidechart  {options.console_url}"
    yield f"  Sign in    {OPS.email}  [cyan]{OPS.password}[/cyan]  (and then set up a second step)"
    yield ""
