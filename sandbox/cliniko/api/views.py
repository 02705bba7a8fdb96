"""Cliniko's read-only API below /api/<shard>/v1.

Reference: docs.api.cliniko.com
"""

from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, g, jsonify, request

from sandbox.cliniko.api import fault_injection, lists
from sandbox.cliniko.api.authentication import authorize, find_request_key
from sandbox.cliniko.api.serializers import serialize, serialize_deleted
from sandbox.cliniko.app_state import rate_limiter, store
from sandbox.cliniko.data.accounts import Account, Key
from sandbox.cliniko.data.resources import OLDER_RESOURCES, RESOURCES, Resource
from sandbox.cliniko.errors import Forbidden, NotFound

MISSING = "The resource you were looking for could not be found."

api = Blueprint("api", __name__, url_prefix="/api/<shard>/v1")


@api.url_value_preprocessor
def store_shard(endpoint: str | None, values: dict[str, Any] | None) -> None:
    g.shard = values.pop("shard") if values else ""


@api.before_request
def check_request() -> Response | None:
    g.key = find_request_key(request, store(), g.shard)
    g.account = authorize(request, store(), rate_limiter(), g.key)
    return fault_injection.begin_fault(g.account.name)


@api.after_request
def alter_response(response: Response) -> Response:
    return fault_injection.alter_response(response)


@api.get("/user")
def show_own_user() -> Response:
    return _single(RESOURCES["users"], str(_key().user_id))


@api.get("/settings/public")
def show_settings() -> Response:
    return jsonify({**_account().settings, "links": {"self": f"{_base()}/settings/public"}})


@api.get("/<resource>")
def show_list(resource: str) -> Response:
    return _list(_resource(resource))


@api.get("/<resource>/<id>")
def show_single(resource: str, id: str) -> Response:
    known = _resource(resource)
    return _list(known, subset=id) if id in known.subsets else _single(known, id)


@api.get("/<resource>/<id>/<below>")
def show_list_below(resource: str, id: str, below: str) -> Response:
    """List records that belong to another: the alerts of a patient, the attendees of a class."""
    within = _resource(resource).within
    if below not in within or not store().record(_account().name, resource, id):
        raise NotFound(MISSING)
    return _list(_resource(below), also=(f"{within[below]}:={id}",))


def _resource(name: str) -> Resource:
    if name not in RESOURCES:
        raise NotFound(MISSING)
    if name in _key().forbidden:
        raise Forbidden("You are not authorized to perform this action.")
    return OLDER_RESOURCES[name] if _account().older else RESOURCES[name]


def _single(resource: Resource, id: str) -> Response:
    record = store().record(_account().name, resource.name, id)
    if not record:
        raise NotFound(MISSING)
    return jsonify(serialize(record, _base()))


def _list(resource: Resource, *, subset: str = "", also: tuple[str, ...] = ()) -> Response:
    query = lists.parse_query(resource, fault_injection.alter_query(request.args), subset=subset, also=also)
    page = lists.fetch_page(store(), _account().name, query)
    serializer = serialize_deleted if (subset, resource.name) == ("deleted", "patients") else serialize
    return jsonify(
        {
            resource.name: [serializer(record, _base()) for record in page.records],
            "total_entries": page.total,
            "links": _page_links(query, page),
        }
    )


def _page_links(query: lists.ListQuery, page: lists.Page) -> dict[str, str]:
    links = {"self": _page_url(query.page)}
    if query.page * query.per_page < page.total:
        links["next"] = _page_url(query.page + 1)
    if query.page > 1:
        links["previous"] = _page_url(query.page - 1)
    return links


def _page_url(number: int) -> str:
    others = [(name, value) for name, value in request.args.items(multi=True) if name != "page"]
    return f"{request.host_url.rstrip('/')}{request.path}?{urlencode([*others, ('page', number)])}"


def _base() -> str:
    return f"{request.host_url}api/{g.shard}/v1"


def _account() -> Account:
    account: Account = g.account
    return account


def _key() -> Key:
    key: Key = g.key
    return key
