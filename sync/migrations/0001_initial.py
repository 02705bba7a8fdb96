import django.core.validators
import django.db.models.functions.datetime
import django.utils.timezone
from django.db import migrations, models


# Record field changes in the schema of the table that fired, whatever the search path is. Cliniko sends an empty field
# as null or as "": that's no change. Neither is excluding or re-including a field, nor restoring a patient that
# retention reduced to its id: Cliniko changed nothing then. While fields are removed from every row, the caller sets
# `sidechart.removing` to yes: firing for 50,000 patients takes ten seconds, removing the fields takes two.
RECORD_CHANGES = """
CREATE FUNCTION sync_record_patient_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('
    INSERT INTO %1$I.sync_patientchange (patient_id, field, before, after)
    SELECT $1, field, old.value, new.value
    FROM (SELECT key AS field, nullif(nullif(value, ''null''), ''""'') AS value FROM jsonb_each($2)) AS old
    FULL JOIN (SELECT key AS field, nullif(nullif(value, ''null''), ''""'') AS value FROM jsonb_each($3)) AS new
    USING (field)
    WHERE old.value IS DISTINCT FROM new.value AND field <> ALL (ARRAY[''updated_at'', ''links'', ''label''])
    AND field <> ALL (ARRAY(
      SELECT excluded.field::text FROM %1$I.sync_excludedfield AS excluded
      WHERE excluded.resource = ''patients'' AND (NOT excluded.restoring OR NOT $2 ? excluded.field)))',
    TG_TABLE_SCHEMA) USING NEW.cliniko_id, OLD.payload, NEW.payload;
  RETURN NULL;
END $$;
CREATE TRIGGER record_patient_change AFTER UPDATE ON sync_patient FOR EACH ROW
WHEN (current_setting('sidechart.removing', true) IS DISTINCT FROM 'yes'
  AND OLD.payload IS DISTINCT FROM NEW.payload AND OLD.payload ? 'updated_at' AND NEW.payload ? 'updated_at')
EXECUTE FUNCTION sync_record_patient_change();
"""
DROP_RECORD_CHANGES = """
DROP TRIGGER record_patient_change ON sync_patient;
DROP FUNCTION sync_record_patient_change();
"""
# Store payloads out of line and uncompressed: compression was a third of an import's time, and a search reads ten times
# fewer pages.
EXTERNAL_PAYLOADS = """
ALTER TABLE sync_patient ALTER payload SET STORAGE EXTERNAL, SET (toast_tuple_target = 512);
"""
# The planner samples column values. No query filters by these columns, and removed data must not survive in samples.
NO_STATISTICS = """
DO $$
DECLARE found record;
BEGIN
  FOR found IN SELECT table_schema, table_name, column_name FROM information_schema.columns
    WHERE table_schema = current_schema() AND table_name LIKE 'sync\\_%'
    AND column_name IN ('payload', 'before', 'after')
  LOOP
    EXECUTE format('ALTER TABLE %I.%I ALTER %I SET STATISTICS 0',
      found.table_schema, found.table_name, found.column_name);
  END LOOP;
END $$;
"""


def skip_like_indexes(apps, schema_editor):
    """Don't create the indexes that Django adds for LIKE on text keys.

    Ids are never searched with LIKE, and each index slows every import. Django creates them at the end of a migration.
    """
    deferred = schema_editor.deferred_sql
    deferred[:] = [statement for statement in deferred if "_pattern_ops" not in str(statement)]


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='AppointmentType',
            fields=[
                ('cliniko_id', models.CharField(max_length=20, primary_key=True, serialize=False)),
                ('payload', models.JSONField()),
                ('updated_at', models.DateTimeField()),
                ('archived_at', models.DateTimeField(null=True)),
                ('deleted_at', models.DateTimeField(null=True)),
                ('sequence', models.BigIntegerField()),
                ('first_seen_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('written_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), help_text='When it last changed here.')),
                ('name', models.TextField()),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='Business',
            fields=[
                ('cliniko_id', models.CharField(max_length=20, primary_key=True, serialize=False)),
                ('payload', models.JSONField()),
                ('updated_at', models.DateTimeField()),
                ('archived_at', models.DateTimeField(null=True)),
                ('deleted_at', models.DateTimeField(null=True)),
                ('sequence', models.BigIntegerField()),
                ('first_seen_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('written_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), help_text='When it last changed here.')),
                ('name', models.TextField()),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='Cursor',
            fields=[
                ('resource', models.CharField(help_text='The list: patients, patients/deleted.', max_length=60, primary_key=True, serialize=False)),
                ('imported_at', models.DateTimeField(help_text='When the full import finished; empty while it runs.', null=True)),
                ('after_id', models.CharField(blank=True, help_text='The last id that the walk by id has read.', max_length=20)),
                ('cursor', models.DateTimeField(help_text="A tick reads changes from this time on, by Cliniko's clock.", null=True)),
                ('position', models.DateTimeField(help_text='The last change that the current tick has read.', null=True)),
                ('walk_clock', models.DateTimeField(help_text="Cliniko's clock at the first page of the current walk.", null=True)),
                ('checked_at', models.DateTimeField(help_text='The mirror is complete up to this time.', null=True)),
                ('walked', models.PositiveIntegerField(default=0, help_text='Records read by the current or latest walk.')),
                ('total', models.PositiveIntegerField(help_text="Cliniko's latest count of records.", null=True)),
                ('due_at', models.DateTimeField(default=django.utils.timezone.now, help_text='When the list is due for its next walk.')),
                ('refused_at', models.DateTimeField(help_text='When Cliniko last answered 403 or 404 for this list.', null=True)),
                ('failures', models.PositiveIntegerField(default=0, help_text='Failed walks in a row.')),
                ('asks_hidden', models.BooleanField(default=True, help_text='False once Cliniko has rejected the filters for hidden records.')),
            ],
        ),
        migrations.CreateModel(
            name='GroupAppointment',
            fields=[
                ('cliniko_id', models.CharField(max_length=20, primary_key=True, serialize=False)),
                ('payload', models.JSONField()),
                ('updated_at', models.DateTimeField()),
                ('archived_at', models.DateTimeField(null=True)),
                ('deleted_at', models.DateTimeField(null=True)),
                ('sequence', models.BigIntegerField()),
                ('first_seen_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('written_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), help_text='When it last changed here.')),
                ('practitioner_id', models.CharField(blank=True, max_length=20)),
                ('business_id', models.CharField(blank=True, max_length=20)),
                ('appointment_type_id', models.CharField(blank=True, max_length=20)),
                ('starts_at', models.DateTimeField()),
                ('ends_at', models.DateTimeField(null=True)),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='PatientRefresh',
            fields=[
                ('cliniko_id', models.CharField(max_length=20, primary_key=True, serialize=False)),
                ('started_at', models.DateTimeField()),
                ('checked_at', models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name='Practitioner',
            fields=[
                ('cliniko_id', models.CharField(max_length=20, primary_key=True, serialize=False)),
                ('payload', models.JSONField()),
                ('updated_at', models.DateTimeField()),
                ('archived_at', models.DateTimeField(null=True)),
                ('deleted_at', models.DateTimeField(null=True)),
                ('sequence', models.BigIntegerField()),
                ('first_seen_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('written_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), help_text='When it last changed here.')),
                ('name', models.TextField()),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='Reconciliation',
            fields=[
                ('resource', models.CharField(max_length=40, primary_key=True, serialize=False)),
                ('after_id', models.CharField(help_text='The last id compared; empty when idle.', max_length=20, null=True)),
                ('due_at', models.DateTimeField()),
                ('finished_at', models.DateTimeField(null=True)),
                ('requested_again', models.BooleanField(default=False, help_text='Requested while running: repeat afterwards.')),
                ('total', models.PositiveIntegerField(help_text="Cliniko's count of records at the start.", null=True)),
                ('compared', models.PositiveIntegerField(default=0)),
                ('mended', models.PositiveIntegerField(default=0, help_text='Records that differed from Cliniko and were corrected.')),
            ],
        ),
        migrations.CreateModel(
            name='Appointment',
            fields=[
                ('cliniko_id', models.CharField(max_length=20, primary_key=True, serialize=False)),
                ('payload', models.JSONField()),
                ('updated_at', models.DateTimeField()),
                ('archived_at', models.DateTimeField(null=True)),
                ('deleted_at', models.DateTimeField(null=True)),
                ('sequence', models.BigIntegerField()),
                ('first_seen_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('written_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), help_text='When it last changed here.')),
                ('patient_id', models.CharField(blank=True, max_length=20)),
                ('practitioner_id', models.CharField(blank=True, max_length=20)),
                ('business_id', models.CharField(blank=True, max_length=20)),
                ('appointment_type_id', models.CharField(blank=True, max_length=20)),
                ('starts_at', models.DateTimeField()),
                ('ends_at', models.DateTimeField(null=True)),
                ('cancelled_at', models.DateTimeField(null=True)),
            ],
            options={
                'indexes': [models.Index(fields=['patient_id', 'starts_at'], name='sync_appoin_patient_e73593_idx')],
            },
        ),
        migrations.CreateModel(
            name='Attendee',
            fields=[
                ('cliniko_id', models.CharField(max_length=20, primary_key=True, serialize=False)),
                ('payload', models.JSONField()),
                ('updated_at', models.DateTimeField()),
                ('archived_at', models.DateTimeField(null=True)),
                ('deleted_at', models.DateTimeField(null=True)),
                ('sequence', models.BigIntegerField()),
                ('first_seen_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('written_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), help_text='When it last changed here.')),
                ('patient_id', models.CharField(blank=True, max_length=20)),
                ('booking_id', models.CharField(blank=True, max_length=20)),
                ('cancelled_at', models.DateTimeField(null=True)),
            ],
            options={
                'indexes': [models.Index(fields=['patient_id'], name='sync_attend_patient_e1932c_idx')],
            },
        ),
        migrations.CreateModel(
            name='Connection',
            fields=[
                ('id', models.SmallAutoField(primary_key=True, serialize=False)),
                ('sealed_key', models.TextField(blank=True)),
                ('key_state', models.CharField(choices=[('missing', 'Missing'), ('ok', 'Ok'), ('invalid', 'Invalid'), ('forbidden', 'Forbidden')], db_default='missing', default='missing', max_length=10)),
                ('key_last4', models.CharField(blank=True, max_length=4)),
                ('shard', models.CharField(blank=True, max_length=4)),
                ('account_name', models.TextField(blank=True)),
                ('account_subdomain', models.TextField(blank=True)),
                ('time_zone', models.TextField(default='UTC')),
                ('patient_word', models.TextField(default='patient')),
                ('key_user_name', models.TextField(blank=True)),
                ('key_user_role', models.TextField(blank=True)),
                ('connected_at', models.DateTimeField(null=True)),
                ('account_checked_at', models.DateTimeField(help_text='When the account settings were last read.', null=True)),
                ('account_since', models.DateTimeField(help_text='Ids from before this time belong to another account.', null=True)),
                ('state', models.CharField(choices=[('no_key', 'No Key'), ('ok', 'Ok'), ('rate_limited', 'Rate Limited'), ('key_invalid', 'Key Invalid'), ('key_forbidden', 'Key Forbidden'), ('unreachable', 'Unreachable'), ('paused', 'Paused')], default='no_key', max_length=16)),
                ('state_since', models.DateTimeField(default=django.utils.timezone.now)),
                ('resume_at', models.DateTimeField(help_text='No request is made before this time.', null=True)),
                ('failures', models.PositiveIntegerField(default=0, help_text='Failed runs in a row.')),
                ('owners_notified_at', models.DateTimeField(help_text='When owners were notified that the key is refused.', null=True)),
                ('lease_token', models.UUIDField(null=True)),
                ('lease_until', models.DateTimeField(null=True)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('id', 1)), name='one_connection_per_clinic')],
            },
        ),
        migrations.CreateModel(
            name='ExcludedField',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('resource', models.CharField(max_length=40)),
                ('field', models.CharField(max_length=60)),
                ('group_name', models.CharField(help_text='Its group in sync/field_groups.py.', max_length=40)),
                ('since', models.DateTimeField(default=django.utils.timezone.now)),
                ('restoring', models.BooleanField(default=False)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('resource', 'field'), name='one_exclusion_per_field')],
            },
        ),
        migrations.CreateModel(
            name='MedicalAlert',
            fields=[
                ('cliniko_id', models.CharField(max_length=20, primary_key=True, serialize=False)),
                ('payload', models.JSONField()),
                ('updated_at', models.DateTimeField()),
                ('archived_at', models.DateTimeField(null=True)),
                ('deleted_at', models.DateTimeField(null=True)),
                ('sequence', models.BigIntegerField()),
                ('first_seen_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('written_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), help_text='When it last changed here.')),
                ('patient_id', models.CharField(max_length=20)),
                ('name', models.TextField()),
            ],
            options={
                'indexes': [models.Index(fields=['patient_id'], name='sync_medica_patient_49ce51_idx')],
            },
        ),
        migrations.CreateModel(
            name='Patient',
            fields=[
                ('cliniko_id', models.CharField(max_length=20, primary_key=True, serialize=False)),
                ('payload', models.JSONField()),
                ('updated_at', models.DateTimeField()),
                ('archived_at', models.DateTimeField(null=True)),
                ('deleted_at', models.DateTimeField(null=True)),
                ('sequence', models.BigIntegerField()),
                ('first_seen_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('written_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), help_text='When it last changed here.')),
                ('merged_into', models.CharField(max_length=20, null=True)),
                ('date_of_birth', models.DateField(null=True)),
                ('sort_name', models.TextField(help_text='Family name first, normalised, for sorting.')),
                ('search_names', models.TextField(help_text='All names, normalised.')),
                ('search_phones', models.TextField(help_text='Digits of all phone numbers, space-separated.')),
            ],
            options={
                'indexes': [models.Index(fields=['date_of_birth'], name='sync_patien_date_of_7c0703_idx'), models.Index(condition=models.Q(('merged_into__isnull', False)), fields=['merged_into'], name='sync_merged')],
            },
        ),
        migrations.CreateModel(
            name='PatientChange',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('patient_id', models.CharField(max_length=20)),
                ('field', models.TextField()),
                ('before', models.JSONField(null=True)),
                ('after', models.JSONField(null=True)),
                ('changed_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'indexes': [models.Index(fields=['patient_id', 'changed_at'], name='sync_patien_patient_1fa608_idx')],
            },
        ),
        migrations.CreateModel(
            name='RefusedPayload',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('resource', models.CharField(max_length=40)),
                ('cliniko_id', models.CharField(blank=True, max_length=40)),
                ('patient_id', models.CharField(blank=True, help_text="The record's patient, if that can be read.", max_length=20)),
                ('payload', models.TextField(help_text='JSON text as received.')),
                ('reason', models.TextField()),
                ('refused_at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('resource', 'cliniko_id'), name='one_quarantine_per_record')],
            },
        ),
        migrations.CreateModel(
            name='RetentionPolicy',
            fields=[
                ('id', models.SmallAutoField(primary_key=True, serialize=False)),
                ('changes_days', models.PositiveSmallIntegerField(default=180, validators=[django.core.validators.MinValueValidator(30), django.core.validators.MaxValueValidator(730)])),
                ('deleted_days', models.PositiveSmallIntegerField(default=90, validators=[django.core.validators.MinValueValidator(7), django.core.validators.MaxValueValidator(730)])),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('id', 1)), name='one_retention_policy'), models.CheckConstraint(condition=models.Q(('changes_days__range', (30, 730))), name='changes_kept_30_to_730_days'), models.CheckConstraint(condition=models.Q(('deleted_days__range', (7, 730))), name='deleted_kept_7_to_730_days')],
            },
        ),
        migrations.CreateModel(
            name='SyncRun',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('started_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('finished_at', models.DateTimeField(null=True)),
                ('result', models.CharField(choices=[('done', 'Done'), ('continues', 'Continues'), ('stopped', 'Stopped')], max_length=10)),
                ('reason', models.TextField(blank=True)),
                ('resources', models.JSONField(default=dict, help_text='By resource: fetched, written, requests.')),
            ],
            options={
                'indexes': [models.Index(fields=['-started_at'], name='sync_syncru_started_96a1db_idx')],
            },
        ),
        migrations.RunSQL("CREATE SEQUENCE sync_answer_sequence", "DROP SEQUENCE sync_answer_sequence"),
        migrations.RunSQL(RECORD_CHANGES, DROP_RECORD_CHANGES),
        migrations.RunPython(skip_like_indexes, migrations.RunPython.noop),
        migrations.RunSQL(EXTERNAL_PAYLOADS, migrations.RunSQL.noop),
        migrations.RunSQL(NO_STATISTICS, migrations.RunSQL.noop),
    ]
