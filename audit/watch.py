"""Looking whether a clinic's log is still what was written, against what was noted on public before."""

from audit.log import ChainCheck, verify_chain
from tenants.context import enter_clinic
from tenants.models import Clinic


def verify(clinic: Clinic) -> ChainCheck:
    """Check the clinic's log, and note nothing. The caller stands in public."""
    with enter_clinic(clinic):
        return verify_chain(known_length=clinic.audit_length, known_head=clinic.audit_head)


def verify_and_record(clinic: Clinic) -> ChainCheck:
    """Check the clinic's log and note on public what was found; for one that does not hold, what was noted before
    stays. The caller stands in public."""
    chain = verify(clinic)
    # A clinic that was restored meanwhile has another log, of which this says nothing.
    rows = Clinic.objects.filter(pk=clinic.pk, schema_name=clinic.schema_name)
    rows.update(audit_broken_at=chain.broken_at)
    if chain.broken_at is None:
        # Of two checks at once the one that saw less notes nothing.
        rows.filter(audit_length__lte=chain.length).update(audit_length=chain.length, audit_head=chain.head)
    return chain


def verify_operator_log() -> ChainCheck:
    """Check the log of ops, which stands in public. That nothing was cut off its end shows by our own logs alone."""
    return verify_chain()
