import django.core.serializers.json
import django.db.models.functions.datetime
from django.db import migrations, models


# The hash chain. Each digest covers its row and the previous digest, so changing, removing or inserting a row breaks
# every row after it. Reference: https://csrc.nist.gov/glossary/term/hash_chain
CHAIN = """
    CREATE FUNCTION audit_digest(event audit_event) RETURNS text LANGUAGE sql IMMUTABLE AS $$
        SELECT encode(sha256(convert_to(jsonb_build_array(
            event.previous, event.id, event.user_id, event.user_email, event.action, event.patient_id, event.details,
            event.request_id, extract(epoch FROM event.occurred_at)
        )::text, 'UTF8')), 'hex')
    $$;

    CREATE FUNCTION audit_chain() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        last_id bigint;
    BEGIN
        -- One writer at a time until its transaction ends: ids without gaps, in commit order.
        PERFORM pg_advisory_xact_lock(TG_RELID::bigint);
        SELECT id, digest INTO last_id, NEW.previous FROM audit_event ORDER BY id DESC LIMIT 1;
        NEW.id := coalesce(last_id, 0) + 1;
        NEW.previous := coalesce(NEW.previous, '');
        NEW.digest := audit_digest(NEW);
        RETURN NEW;
    END $$;

    CREATE TRIGGER audit_chain BEFORE INSERT ON audit_event FOR EACH ROW EXECUTE FUNCTION audit_chain();
"""
APPEND_ONLY = """
    CREATE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'The audit log is append-only.' USING ERRCODE = 'insufficient_privilege';
    END $$;

    CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_event
        FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only();
"""
DROP = """
    DROP TRIGGER audit_append_only ON audit_event;
    DROP TRIGGER audit_chain ON audit_event;
    DROP FUNCTION audit_append_only(), audit_chain(), audit_digest(audit_event);
"""


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Event',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('user_id', models.BigIntegerField(null=True)),
                ('user_email', models.CharField(max_length=254)),
                ('action', models.CharField(choices=[('viewed', 'viewed a patient'), ('listed', 'viewed the list of recently opened patients'), ('searched', 'searched for patients'), ('not_found', "couldn't find a patient"), ('denied', 'was denied access'), ('revealed', 'revealed a card number'), ('exported', 'exported data'), ('log_read', 'viewed the access log'), ('note_written', 'wrote a note'), ('note_deleted', 'deleted a note'), ('key_changed', 'changed the Cliniko API key'), ('settings_changed', 'changed settings'), ('invited', 'invited someone'), ('invitation_revoked', 'cancelled an invitation'), ('joined', 'accepted an invitation'), ('role_changed', 'changed a role'), ('suspended', 'suspended a user'), ('reinstated', 'unsuspended a user'), ('password_changed', 'changed their password'), ('second_factor_added', 'added a two-step verification method'), ('second_factor_removed', 'removed a two-step verification method'), ('second_factor_reset', 'reset two-step verification'), ('sessions_ended', 'ended sessions'), ('sync_paused', 'paused the sync'), ('sync_resumed', 'resumed the sync'), ('clinic_suspended', 'suspended the clinic'), ('clinic_resumed', 'resumed the clinic'), ('clinic_renamed', 'renamed the clinic'), ('clinic_closing', "set the clinic's closing date"), ('ops_access', 'accessed the clinic')], max_length=24)),
                ('patient_id', models.CharField(blank=True, max_length=20)),
                ('details', models.JSONField(default=dict, encoder=django.core.serializers.json.DjangoJSONEncoder)),
                ('request_id', models.CharField(blank=True, max_length=32)),
                ('occurred_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('previous', models.CharField(editable=False, max_length=64)),
                ('digest', models.CharField(editable=False, max_length=64)),
            ],
            options={
                'indexes': [models.Index(fields=['user_id', 'action', '-id'], name='audit_by_user'), models.Index(condition=models.Q(('patient_id', ''), _negated=True), fields=['patient_id', '-id'], name='audit_by_patient')],
                'constraints': [models.CheckConstraint(condition=models.Q(('patient_id', ''), ('patient_id__regex', '^[1-9][0-9]{0,19}$'), _connector='OR'), name='audit_patient_is_an_id')],
            },
        ),
        migrations.RunSQL(CHAIN + APPEND_ONLY, DROP),
    ]
