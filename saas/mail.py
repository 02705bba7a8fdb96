import sys
from typing import Any

from django.core.mail.backends.console import EmailBackend


class StandardErrorBackend(EmailBackend):
    """Prints emails on standard error, because commands print JSON for other programs on standard output."""

    def __init__(self, *args: Any, **options: Any):
        options.setdefault("stream", sys.stderr)
        super().__init__(*args, **options)
