"""The faults that the sandbox can simulate."""

from enum import StrEnum


class Fault(StrEnum):
    """A fault to apply to a request; some take a number of `seconds`."""

    # Sent instead of the real response
    SERVER_ERROR = "server_error"  # 500 with a JSON message
    BAD_GATEWAY = "bad_gateway"  # 502 with an HTML page
    UNAVAILABLE = "unavailable"  # 503 with an HTML page
    UNAUTHORIZED = "unauthorized"  # 401, as for a wrong key
    FORBIDDEN = "forbidden"  # 403, as for a role without access
    TOO_MANY = "too_many"  # 429, reset in `seconds`
    TOO_MANY_BARE = "too_many_bare"  # 429 without X-RateLimit-Reset
    TOO_MANY_PAST = "too_many_past"  # 429, reset a minute ago
    TOO_MANY_HOUR = "too_many_hour"  # 429, reset in an hour
    ERROR_BODY = "error_body"  # 200 with only a message
    NOT_JSON = "not_json"  # 200 with an HTML page
    REDIRECT = "redirect"  # 302 to another host

    # The real response, delivered badly
    SLOW = "slow"  # after `seconds`
    DRIP = "drip"  # body sent in small pieces over `seconds`
    RESET = "reset"  # the connection is reset after half of the body
    TRUNCATED = "truncated"  # half of the body, Content-Length matches
    CUT_SHORT = "cut_short"  # half of the body, Content-Length of all of it
    CLOCK_AHEAD = "clock_ahead"  # Date is `seconds` ahead
    CLOCK_BEHIND = "clock_behind"  # Date is `seconds` behind

    # The real response with a changed body: every record, or the last one of a page
    INTEGER_IDS = "integer_ids"  # ids are JSON numbers
    EMPTY_STRINGS = "empty_strings"  # every null is ""
    UNKNOWN_FIELDS = "unknown_fields"  # extra fields of unusual types
    MISSING_FIELDS = "missing_fields"  # only id, created_at, updated_at and links
    UNREADABLE = "unreadable"  # the last record was updated "yesterday"
    NUL = "nul"  # a text of the last record contains U+0000 and a lone surrogate
    HUGE_NUMBER = "huge_number"  # a number of the last record is 1e400

    # Lists only
    EMPTY_WITH_NEXT = "empty_with_next"  # no records, and a next page
    LOOPING_NEXT = "looping_next"  # always a next page with the same records: page and id filters are ignored
    FOREIGN_NEXT = "foreign_next"  # the next page is at https://evil.example/
    TEXT_TOTALS = "text_totals"  # total_entries is a string
    NO_LINKS = "no_links"  # no links at all
    LATE = "late"  # a lagging replica: changes of the last `seconds` are missing


LIST_FAULTS = frozenset(
    {
        Fault.EMPTY_WITH_NEXT,
        Fault.LOOPING_NEXT,
        Fault.FOREIGN_NEXT,
        Fault.TEXT_TOTALS,
        Fault.NO_LINKS,
        Fault.LATE,
    }
)
