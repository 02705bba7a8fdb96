import datetime
import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.expressions
import django.utils.timezone
from django.db import migrations, models


# Operators act on clinics, never on patients. This copy of the table exists in the public schema only.
NO_PATIENT = "ALTER TABLE public.audit_event ADD CONSTRAINT operator_log_has_no_patient CHECK (patient_id = '')"
DROP_NO_PATIENT = "ALTER TABLE public.audit_event DROP CONSTRAINT operator_log_has_no_patient"


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('audit', '0001_initial'),
        ('tenants', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='LaunchTotal',
            fields=[
                ('clinic', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='launch_total', serialize=False, to='tenants.clinic')),
                ('total', models.PositiveBigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name='BreakGlassGrant',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('user_id', models.BigIntegerField(help_text='Whose look it is, of those in public.')),
                ('reason', models.CharField(max_length=200)),
                ('began_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('until', models.DateTimeField()),
                ('clinic', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='looks', to='tenants.clinic')),
            ],
            options={
                'indexes': [models.Index(fields=['clinic', 'user_id', 'until'], name='look_going_on')],
                'constraints': [models.CheckConstraint(condition=models.Q(('until__gte', models.F('began_at')), ('until__lte', django.db.models.expressions.CombinedExpression(models.F('began_at'), '+', models.Value(datetime.timedelta(seconds=3600))))), name='look_is_short'), models.CheckConstraint(condition=models.Q(('reason', ''), _negated=True), name='look_has_a_reason')],
            },
        ),
        migrations.CreateModel(
            name='DailyStats',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField()),
                ('launches', models.PositiveIntegerField(default=0, help_text='Clicks on the button in Cliniko.')),
                ('patients', models.PositiveIntegerField(default=0, help_text='Mirrored, when last measured.')),
                ('refused', models.PositiveIntegerField(default=0, help_text='Records that could not be read, when last measured.')),
                ('lag_by_hour', django.contrib.postgres.fields.ArrayField(base_field=models.PositiveIntegerField(null=True), help_text='The most seconds that the mirror was behind, by hour.', size=None)),
                ('clinic', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='days', to='tenants.clinic')),
            ],
            options={
                'indexes': [models.Index(fields=['day'], name='ops_dailyst_day_ea997f_idx')],
                'constraints': [models.UniqueConstraint(fields=('clinic', 'day'), name='one_row_for_a_clinic_and_day'), models.CheckConstraint(condition=models.Q(('lag_by_hour__len', 24)), name='lag_of_24_hours')],
            },
        ),
        migrations.RunSQL(NO_PATIENT, DROP_NO_PATIENT),
    ]
