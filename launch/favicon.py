"""Tell patient tabs apart: an icon with initials, and a token that tabs compare with each other."""

import hashlib
from urllib.parse import quote

from django.utils.crypto import salted_hmac
from django.utils.html import escape

# Dark enough for white letters (WCAG AA), and different enough to tell two clinics apart.
COLOURS = (
    "#0b5c66", "#8c1c4b", "#1d4ed8", "#7a3b00", "#166534", "#6b21a8", "#9f1239", "#3f4a8a", "#5b5300", "#0f5e9c",
    "#a21caf", "#4a4f57",
)  # fmt: skip
_ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="{colour}"/>'
    '<text x="16" y="22" font-family="sans-serif" font-size="{size}" font-weight="700" fill="#fff" '
    'text-anchor="middle">{initials}</text></svg>'
)


def icon(name: str, clinic_label: str) -> str:
    """Return the icon as a data: URL, so that no request carries a patient's initials."""
    letters = initials(name)
    svg = _ICON.format(colour=colour(clinic_label), size=17 if len(letters) > 1 else 20, initials=escape(letters))
    return f"data:image/svg+xml,{quote(svg)}"


def initials(name: str) -> str:
    """Return the first letters of the first and last words; `?` for a name without letters."""
    firsts = [word[0] for word in ("".join(filter(str.isalnum, part)) for part in name.split()) if word]
    return (firsts[0] + firsts[-1] if len(firsts) > 1 else "".join(firsts)).upper() or "?"


def colour(clinic_label: str) -> str:
    """Return the clinic's colour, the same every time."""
    return COLOURS[hashlib.sha256(clinic_label.encode()).digest()[0] % len(COLOURS)]


def tab_token(session_key: str, patient_id: str) -> str:
    """Return a token, equal for two tabs of one session on the same patient, that doesn't identify the patient."""
    return salted_hmac("launch.favicon", f"{session_key}|{patient_id}", algorithm="sha256").hexdigest()[:16]
