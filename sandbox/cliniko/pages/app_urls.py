"""Which App URLs an account may connect: those that Cliniko has approved for the integrator.

Reference: Cliniko's guide to custom patient buttons. A wildcard stands for one label of letters, digits and dashes.
"""

import re
from collections.abc import Iterable

NOT_TRUSTED = "This URL is not trusted"


def is_trusted(url: str, approved: Iterable[str]) -> bool:
    """Tell whether a URL is one of the approved, letter for letter apart from the wildcard."""
    return any(_pattern(each).fullmatch(url) for each in approved)


def _pattern(approved: str) -> re.Pattern[str]:
    whole = approved if "://" in approved else f"https://{approved}"
    return re.compile(re.escape(whole).replace(r"\*", "[A-Za-z0-9-]+"))
