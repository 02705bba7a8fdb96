"""Check that Cliniko has approved an App URL for the integrator.

Reference: Cliniko's guide to custom patient buttons. A wildcard matches one label of letters, digits and dashes.
"""

import re
from collections.abc import Iterable

NOT_TRUSTED = "This URL is not trusted"


def is_approved(url: str, approved: Iterable[str]) -> bool:
    """Return True if a URL matches an approved pattern exactly, apart from the wildcard."""
    return any(_pattern(each).fullmatch(url) for each in approved)


def _pattern(approved: str) -> re.Pattern[str]:
    whole = approved if "://" in approved else f"https://{approved}"
    return re.compile(re.escape(whole).replace(r"\*", "[A-Za-z0-9-]+"))
