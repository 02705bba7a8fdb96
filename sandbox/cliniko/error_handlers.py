"""Errors as JSON below /api/ and as pages elsewhere; log of API requests."""

from flask import Response, g, jsonify, render_template, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from sandbox.cliniko.api.fault_injection import clock_offset
from sandbox.cliniko.app_state import store
from sandbox.cliniko.errors import ApiError, SandboxError


def handle_api_error(error: ApiError) -> tuple[Response, int, dict[str, str]]:
    return jsonify({"message": error.message}), error.status, error.headers


def handle_http_error(error: HTTPException) -> AnyResponse | tuple[Response | str, int]:
    if not error.code or error.code < 400:
        return error.get_response()
    if _is_api():
        return jsonify({"message": error.description}), error.code
    return render_template("error.html", heading=error.name, message=error.description), error.code


def handle_sandbox_error(error: SandboxError) -> tuple[str, int]:
    return render_template("error.html", heading="That did not work", message=str(error)), 400


def date_and_log(response: Response) -> Response:
    """Set the Date header from the sandbox's clock, shifted by a clock fault, and log API requests."""
    response.date = store().now() + clock_offset()
    if _is_api():
        key = g.get("key")
        path = request.full_path.rstrip("?")
        store().log_request(key.account if key else None, request.method, path, response.status_code)
    return response


def _is_api() -> bool:
    return request.path.startswith("/api/")
