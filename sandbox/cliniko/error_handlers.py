"""How failures are told, in JSON below /api/ and on a page elsewhere, and how requests get into the log."""

from flask import Response, g, jsonify, render_template, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from sandbox.cliniko.api.fault_injection import clock_error
from sandbox.cliniko.app_state import store
from sandbox.cliniko.errors import ApiError, SandboxError


def answer_api_error(error: ApiError) -> tuple[Response, int, dict[str, str]]:
    return jsonify({"message": error.message}), error.status, error.headers


def answer_http_error(error: HTTPException) -> AnyResponse | tuple[Response | str, int]:
    if not error.code or error.code < 400:
        return error.get_response()
    if _is_api():
        return jsonify({"message": error.description}), error.code
    return render_template("error.html", heading=error.name, message=error.description), error.code


def answer_sandbox_error(error: SandboxError) -> tuple[str, int]:
    return render_template("error.html", heading="That did not work", message=str(error)), 400


def finish(response: Response) -> Response:
    """Date every answer by the sandbox's clock (unless that is to be off), and log those of the API."""
    response.date = store().now() + clock_error()
    if _is_api():
        key = g.get("key")
        path = request.full_path.rstrip("?")
        store().log_request(key.account if key else None, request.method, path, response.status_code)
    return response


def _is_api() -> bool:
    return request.path.startswith("/api/")
