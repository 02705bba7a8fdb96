"""Apply queued faults to requests: instead of the view, to its query, to its response and to its Date header."""

from datetime import timedelta

from flask import Response, g, request
from werkzeug.datastructures import MultiDict

from sandbox.cliniko.app_state import store
from sandbox.cliniko.clock import format_time
from sandbox.cliniko.faults import transport
from sandbox.cliniko.faults.error_responses import error_response
from sandbox.cliniko.faults.kinds import Fault
from sandbox.cliniko.faults.queue import InjectedFault
from sandbox.cliniko.faults.response_bodies import BODY_FAULTS, alter_body

TRANSPORT_FAULTS = {
    Fault.SLOW: transport.slow,
    Fault.DRIP: transport.drip,
    Fault.RESET: transport.reset,
    Fault.TRUNCATED: transport.truncate,
    Fault.CUT_SHORT: transport.cut_short,
}


def begin_fault(account: str) -> Response | None:
    """Take the fault for this request, and return its error response if it has one."""
    g.fault = store().next_fault(account, request.path.partition("/v1/")[2])
    return error_response(g.fault, store().now()) if g.fault else None


def alter_query(args: MultiDict[str, str]) -> MultiDict[str, str]:
    """Return the query of a list as the fault changes it."""
    injected = _injected_fault()
    if injected and injected.fault == Fault.LATE:
        seen = f"updated_at:<={format_time(store().now() - timedelta(seconds=injected.seconds))}"
        return MultiDict([*args.items(multi=True), ("q[]", seen)])
    if injected and injected.fault == Fault.LOOPING_NEXT:
        items = args.items(multi=True)
        return MultiDict([(name, text) for name, text in items if name != "page" and not text.startswith("id:")])
    return args


def alter_response(response: Response) -> Response:
    """Apply a body or transport fault to a response. Body faults need a response with records."""
    injected = _injected_fault()
    if injected and injected.fault in BODY_FAULTS and response.status_code == 200:
        response.set_data(alter_body(injected.fault, response.get_json()))
    if injected and injected.fault in TRANSPORT_FAULTS:
        TRANSPORT_FAULTS[injected.fault](response, injected.seconds)
    return response


def clock_offset() -> timedelta:
    """Return the error of this response's Date header."""
    injected = _injected_fault()
    signs = {Fault.CLOCK_AHEAD: 1, Fault.CLOCK_BEHIND: -1}
    return timedelta(seconds=injected.seconds * signs.get(injected.fault, 0)) if injected else timedelta(0)


def _injected_fault() -> InjectedFault | None:
    injected: InjectedFault | None = g.get("fault")
    return injected
