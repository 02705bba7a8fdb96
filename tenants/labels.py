"""A clinic's label: the subdomain directly below the base domain."""

import re

LABEL_PATTERN = r"^[a-z0-9](?:[a-z0-9-]{1,61}[a-z0-9])$"

# Names that people or protocols expect to belong to us: RFC 2142 mailboxes, common services, our own words.
RESERVED_LABELS = frozenset(
    "account accounts admin administrator api app assets auth autoconfig autodiscover billing blog cdn cliniko console "
    "dashboard dns docs email ftp health help host hostmaster imap info internal intranet invite isatap landing "
    "localhost login logout mail media metrics mta mta-sts noc ns1 ns2 ns3 ns4 ops owner password pop3 portal "
    "postmaster private public root sandbox secure security server settings sidechart sign-in sign-up signin signup "
    "smtp ssl static status support sync system sysadmin usenet vpn webmail webmaster wpad www www1 www2 www3".split()
)


class LabelRefused(ValueError):
    """This label can't be a clinic's subdomain. The message says why."""


def check_label(label: str) -> str:
    """Return `label` unchanged if it can be a clinic's subdomain.

    Raises LabelRefused. A label is one level, because Cliniko's wildcard covers one level.
    """
    if not re.fullmatch(LABEL_PATTERN.strip("^$"), label):
        raise LabelRefused(
            f"{label!r} cannot be a subdomain: use 3 to 63 lowercase letters, digits and hyphens, "
            "starting and ending with a letter or digit."
        )
    if label.startswith("xn--"):
        raise LabelRefused(f"{label!r} cannot be a subdomain: internationalised names (xn--) are not supported.")
    if label in RESERVED_LABELS:
        raise LabelRefused(f"{label!r} is reserved. Choose another subdomain.")
    return label
