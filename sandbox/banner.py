"""The demo's banner: what to open, how to sign in, what to try."""

from collections.abc import Iterator

from rich.console import Console, Group
from rich.panel import Panel
from rich.text import Text

from sandbox.demo_data import OPERATOR, DemoClinic, DemoOptions

STEPS = (
    "Open a patient in Cliniko, choose Open in > Sidechart and sign in. Then edit the patient in Cliniko and repeat.",
    "Emails are saved in .local/mail/, logs in .local/logs/. Press Ctrl-C to stop everything.",
)


def show(console: Console, options: DemoOptions, seconds: float) -> None:
    """Print the panel."""
    lines = [Text.from_markup(line) for clinic in options.clinics for line in _clinic_lines(options, clinic)]
    lines += [Text.from_markup(line) for line in _operator_lines(options)]
    content = Group(*lines, *map(Text, STEPS))
    console.print(
        Panel(content, title=f"Sidechart is running after {seconds:.0f} s", border_style="green", padding=(1, 2))
    )


def _clinic_lines(options: DemoOptions, clinic: DemoClinic) -> Iterator[str]:
    yield f"[bold]{clinic.name}[/bold]"
    yield f"  Cliniko    {options.cliniko_url(clinic)}"
    yield f"  Sidechart  {options.sidechart_url(clinic)}"
    for person in clinic.people:
        yield f"  Sign in    {person.email}  [cyan]{person.password}[/cyan]"
    yield ""


def _operator_lines(options: DemoOptions) -> Iterator[str]:
    yield "[bold]Operator console[/bold]"
    yield f"  Sidechart  {options.console_url}"
    yield f"  Sign in    {OPERATOR.email}  [cyan]{OPERATOR.password}[/cyan]  (then set up two-step verification)"
    yield ""
