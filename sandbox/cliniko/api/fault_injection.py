"""Where faults meet requests: before an answer, in what a list hears, in the answer, and in its date."""

from datetime import timedelta

from flask import Response, g, request
from werkzeug.datastructures import MultiDict

from sandbox.cliniko.app_state import store
from sandbox.cliniko.clock import stamp
from sandbox.cliniko.faults import transport
from sandbox.cliniko.faults.error_responses import failure
from sandbox.cliniko.faults.kinds import Fault
from sandbox.cliniko.faults.queue import Hit
from sandbox.cliniko.faults.response_bodies import DISTORTIONS, distorted

DELIVERIES = {
    Fault.SLOW: transport.slow,
    Fault.DRIP: transport.drip,
    Fault.RESET: transport.reset,
    Fault.TRUNCATED: transport.truncate,
    Fault.CUT_SHORT: transport.cut_short,
}


def meet(account: str) -> Response | None:
    """Find out whether this request is to go wrong; answers it when the fault does so by itself."""
    g.hit = store().next_fault(account, request.path.partition("/v1/")[2])
    return failure(g.hit, store().now()) if g.hit else None


def heard(args: MultiDict[str, str]) -> MultiDict[str, str]:
    """What a list gets to hear of its query."""
    hit = _hit()
    if hit and hit.fault == Fault.LATE:
        seen = f"updated_at:<={stamp(store().now() - timedelta(seconds=hit.seconds))}"
        return MultiDict([*args.items(multi=True), ("q[]", seen)])
    if hit and hit.fault == Fault.LOOPING_NEXT:
        asked = args.items(multi=True)
        return MultiDict([(name, text) for name, text in asked if name != "page" and not text.startswith("id:")])
    return args


def spoil(response: Response) -> Response:
    """Do to an answer what is to be done. A body can only be distorted where there is one, of records."""
    hit = _hit()
    if hit and hit.fault in DISTORTIONS and response.status_code == 200:
        response.set_data(distorted(hit.fault, response.get_json()))
    if hit and hit.fault in DELIVERIES:
        DELIVERIES[hit.fault](response, hit.seconds)
    return response


def clock_error() -> timedelta:
    """How far the date of this answer is off."""
    hit = _hit()
    signs = {Fault.CLOCK_AHEAD: 1, Fault.CLOCK_BEHIND: -1}
    return timedelta(seconds=hit.seconds * signs.get(hit.fault, 0)) if hit else timedelta(0)


def _hit() -> Hit | None:
    hit: Hit | None = g.get("hit")
    return hit
