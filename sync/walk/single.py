"""Asking Cliniko for one record by itself."""

from dataclasses import dataclass
from typing import Any

from sync.cliniko.client import Cliniko
from sync.cliniko.errors import RecordNotFound
from sync.resources import Resource
from sync.walk.store import is_latest, next_sequence

ASK_AT_MOST = 2


@dataclass(frozen=True)
class SingleRead:
    """The record as Cliniko gave it, None when it has none, with the number drawn before it was asked for."""

    payload: dict[str, Any] | None
    sequence: int


def fetch_single(client: Cliniko, resource: Resource, cliniko_id: str) -> SingleRead:
    """Ask for the record. Raises the errors of sync.cliniko.errors but RecordNotFound.

    A 404 is asked for once more when it would bury a row and a later request was made meanwhile: its answer may have
    shown the record, and where it changed nothing the row does not tell.
    """
    for _ in range(ASK_AT_MOST):
        sequence = next_sequence()
        try:
            return SingleRead(client.record(resource.name, cliniko_id), sequence)
        except RecordNotFound:
            if is_latest(sequence) or not _is_live(resource, cliniko_id):
                break
    return SingleRead(None, sequence)


def _is_live(resource: Resource, cliniko_id: str) -> bool:
    return resource.model._default_manager.filter(cliniko_id=cliniko_id, deleted_at=None).exists()
