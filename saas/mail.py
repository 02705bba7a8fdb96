"""Mails where no mail server is named: shown to whoever runs the process, apart from what it answers."""

import sys
from typing import Any

from django.core.mail.backends.console import EmailBackend


class StandardErrorBackend(EmailBackend):
    """Prints mails on standard error: standard output is for a command's answer, which other programs read."""

    def __init__(self, *args: Any, **options: Any):
        options.setdefault("stream", sys.stderr)
        super().__init__(*args, **options)
