"""Fetching a single record from Cliniko."""

from dataclasses import dataclass
from typing import Any

from sync.cliniko.client import Cliniko
from sync.cliniko.errors import RecordNotFound
from sync.resources import Resource
from sync.walk.store import is_latest, next_sequence


@dataclass(frozen=True)
class SingleRead:
    """A record's payload, None if Cliniko has no such record, and the sequence number drawn before the request."""

    payload: dict[str, Any] | None
    sequence: int


def fetch_single(client: Cliniko, resource: Resource, cliniko_id: str) -> SingleRead:
    """Fetch the record. Raises ClinikoError, except RecordNotFound.

    A 404 for a live row is confirmed by a second request if any request was made since the first: its answer may have
    contained the record, and an answer that changed nothing leaves no trace in the row.
    """
    for _ in range(2):
        sequence = next_sequence()
        try:
            return SingleRead(client.record(resource.name, cliniko_id), sequence)
        except RecordNotFound:
            live = resource.model._default_manager.filter(cliniko_id=cliniko_id, deleted_at=None)
            if is_latest(sequence) or not live.exists():
                break
    return SingleRead(None, sequence)
