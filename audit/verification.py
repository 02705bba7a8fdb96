"""Verify audit logs against the length and head that earlier checks recorded on the clinic's row in public."""

from audit.log import ChainCheck, verify_chain
from tenants.context import enter_clinic
from tenants.models import Clinic


def verify(clinic: Clinic) -> ChainCheck:
    """Verify the clinic's log without recording the result. Call it in the public schema."""
    with enter_clinic(clinic):
        return verify_chain(known_length=clinic.audit_length, known_head=clinic.audit_head)


def verify_and_record(clinic: Clinic) -> ChainCheck:
    """Verify the clinic's log and record the result on its row. Call it in the public schema.

    A broken chain leaves the recorded length and head as they are.
    """
    chain = verify(clinic)
    # A restore during the check gives the clinic another schema, which this result says nothing about.
    rows = Clinic.objects.filter(pk=clinic.pk, schema_name=clinic.schema_name)
    rows.update(audit_broken_at=chain.broken_at)
    if chain.broken_at is None:
        # Of two concurrent checks, the one that saw fewer events must not overwrite the other's result.
        rows.filter(audit_length__lte=chain.length).update(audit_length=chain.length, audit_head=chain.head)
    return chain
