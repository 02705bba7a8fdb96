"""Every way in which the sandbox can be asked to misbehave."""

from enum import StrEnum


class Fault(StrEnum):
    """What is done to a request. `seconds` is a number that goes with some of them."""

    # Answers in place of the real one
    SERVER_ERROR = "server_error"  # 500, with a message in JSON
    BAD_GATEWAY = "bad_gateway"  # 502, a page
    UNAVAILABLE = "unavailable"  # 503, a page
    UNAUTHORIZED = "unauthorized"  # 401, as for a wrong key
    FORBIDDEN = "forbidden"  # 403, as for a role that may not see it
    TOO_MANY = "too_many"  # 429, to come back in `seconds`
    TOO_MANY_BARE = "too_many_bare"  # 429 that does not say until when
    TOO_MANY_PAST = "too_many_past"  # 429, to come back a minute ago
    TOO_MANY_HOUR = "too_many_hour"  # 429, to come back in an hour
    ERROR_BODY = "error_body"  # 200 with nothing but a message
    NOT_JSON = "not_json"  # 200, a page
    REDIRECT = "redirect"  # 302 to another host

    # The real answer, badly delivered
    SLOW = "slow"  # after `seconds`
    DRIP = "drip"  # its body drop by drop over `seconds`
    RESET = "reset"  # the connection is reset after half of the body
    TRUNCATED = "truncated"  # half of the body, and the length says so
    CUT_SHORT = "cut_short"  # half of the body, and the length says all of it
    CLOCK_AHEAD = "clock_ahead"  # dated `seconds` too late
    CLOCK_BEHIND = "clock_behind"  # dated `seconds` too early

    # The real answer with another body: every record, or the last one of a page
    INTEGER_IDS = "integer_ids"  # the records' own ids are numbers
    EMPTY_STRINGS = "empty_strings"  # every null is ""
    UNKNOWN_FIELDS = "unknown_fields"  # more fields, of odd kinds
    MISSING_FIELDS = "missing_fields"  # id, created_at, updated_at and links alone
    UNREADABLE = "unreadable"  # the last record was updated "yesterday"
    NUL = "nul"  # a text of the last record holds U+0000 and half of a surrogate pair
    HUGE_NUMBER = "huge_number"  # a number of the last record is 1e400

    # What only a list can suffer
    EMPTY_WITH_NEXT = "empty_with_next"  # no records, and a next page
    LOOPING_NEXT = "looping_next"  # always a next page, and it repeats what came: page and filters by id go unheard
    FOREIGN_NEXT = "foreign_next"  # the next page is at https://evil.example/
    TEXT_TOTALS = "text_totals"  # total_entries is a text
    NO_LINKS = "no_links"  # no links, so nothing says whether it goes on
    LATE = "late"  # a replica that lags: what changed within the last `seconds` is not there


OF_LISTS = frozenset(
    {
        Fault.EMPTY_WITH_NEXT,
        Fault.LOOPING_NEXT,
        Fault.FOREIGN_NEXT,
        Fault.TEXT_TOTALS,
        Fault.NO_LINKS,
        Fault.LATE,
    }
)
