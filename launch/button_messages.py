"""What is said of a click that did not arrive as it should: what came, and the one thing to change."""

from dataclasses import dataclass
from typing import NamedTuple

from django.conf import settings

from launch.button_clicks import Heard, Kind, address
from launch.models import ButtonClick
from sync.read.records import ClinicFacts
from tenants.context import current_clinic
from tenants.dates import at


class Miss(NamedTuple):
    """`{who}` is a member of staff or Somebody, `{at}` is `at 14:05`; `{host}`, `{label}`, `{base}`: of this clinic."""

    came: str
    change: str


MISSES = {
    Kind.SIGNED_OUT: Miss(
        "Somebody who is not signed in opened the button's address {at}.",
        "The address is right. Sign in there, then click the button once more.",
    ),
    Kind.TYPED: Miss(
        "{who} opened the button's address {at}, but not from a page of Cliniko.",
        "The address is right. Click the button on a {patient}'s page in Cliniko.",
    ),
    Kind.HTTP: Miss(
        "{who} clicked {at}, and the address began with http://, where others can read along.",
        "Begin the App URL with https://.",
    ),
    Kind.NO_PATH: Miss(
        "{who} clicked {at}, and the address ended before /patients.",
        "Put /patients at the end of the App URL.",
    ),
    Kind.SINGULAR: Miss(
        "{who} clicked {at}, and the address ended in /patient.",
        "Put an s at the end of the App URL: /patients.",
    ),
    Kind.CAPITALS: Miss(
        "{who} clicked {at}, and the address had capitals in /patients.",
        "Write /patients in small letters.",
    ),
    Kind.MORE_PATH: Miss(
        "{who} clicked {at}, and something followed /patients in the address.",
        "Take out whatever follows /patients in the App URL.",
    ),
    Kind.OTHER_PATH: Miss(
        "{who} clicked {at}, and the address was that of another page.",
        "Replace whatever follows {host} in the App URL by /patients.",
    ),
    Kind.NO_ID: Miss(
        "{who} came to the button's address {at}, and no {patient} was named.",
        "Take any ? or # out of the App URL, with what follows it: Cliniko adds the {patient} by itself.",
    ),
    Kind.BAD_ID: Miss(
        "{who} clicked {at}, and what came for the {patient} was not a Cliniko id.",
        "Let the App URL end with /patients, without a ? and what follows it: Cliniko adds the {patient} by itself.",
    ),
    Kind.OTHER_ACCOUNT: Miss(
        "{who} clicked {at}, in a Cliniko account that is not this clinic's.",
        "In that other account, take this clinic's address out.",
    ),
    Kind.TWO_LEVELS: Miss(
        "{who} clicked {at}, and the address had one name too many before {base}.",
        "Let the App URL begin with {scheme}://{label}. and nothing between the two slashes and {label}.",
    ),
    Kind.FORMER_NAME: Miss(
        "{who} clicked {at}, and the address had a name that this clinic had before.",
        "Let the App URL begin with {scheme}://{label}.",
    ),
}


@dataclass(frozen=True)
class Told:
    """A miss in words. `mistake`: something has to be changed in Cliniko."""

    came: str
    change: str
    mistake: bool


def tell(heard: Heard, facts: ClinicFacts) -> list[Told]:
    """The misses in words, by the clinic's clock."""
    return [_tell(miss, facts) for miss in heard.misses]


def _tell(row: ButtonClick, facts: ClinicFacts) -> Told:
    came, change = MISSES[Kind(row.kind)]
    words = _own_words() | {
        "who": row.name,
        "at": at(row.at, facts.time_zone),
        "patient": facts.patient_word,
    }
    return Told(came.format(**words), change.format(**words), row.kind not in (Kind.SIGNED_OUT, Kind.TYPED))


def change_for(kind: Kind) -> str:
    """The one thing to change, of a mistake in the address's path."""
    return MISSES[kind].change.format(**_own_words())


def _own_words() -> dict[str, str]:
    scheme, _, rest = address().partition("://")
    host = rest.removesuffix("/patients")
    return {"scheme": scheme, "host": host, "label": current_clinic().label, "base": settings.BASE_DOMAIN}
