"""The access log moves to a room of its own, with its lines in their order."""

from django.db import migrations

MOVE = """
    INSERT INTO audit_event (user_id, user_email, action, patient_id, details, request_id, occurred_at, previous, digest)
    SELECT user_id, user_email, action, patient_id, '{}', request_id, occurred_at, '', ''
    FROM launch_accessevent ORDER BY id
"""


class Migration(migrations.Migration):
    dependencies = [("launch", "0001_initial"), ("audit", "0001_initial")]

    operations = [
        migrations.RunSQL(MOVE, migrations.RunSQL.noop),
        migrations.DeleteModel("AccessEvent"),
    ]
