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
                ('user_id', models.BigIntegerField(help_text='The operator\'s user id in the public schema.')),
                ('reason', models.CharField(max_length=200)),
                ('starts_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('expires_at', models.DateTimeField()),
                ('clinic', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='break_glass_grants', to='tenants.clinic')),
            ],
            options={
                'indexes': [models.Index(fields=['clinic', 'user_id', 'expires_at'], name='active_grants')],
                'constraints': [models.CheckConstraint(condition=models.Q(('expires_at__gte', models.F('starts_at')), ('expires_at__lte', django.db.models.expressions.CombinedExpression(models.F('starts_at'), '+', models.Value(datetime.timedelta(seconds=3600))))), name='grant_is_short'), models.CheckConstraint(condition=models.Q(('reason', ''), _negated=True), name='grant_has_reason')],
            },
        ),
        migrations.CreateModel(
            name='DailyStats',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField()),
                ('launches', models.PositiveIntegerField(default=0, help_text='Clicks on the button in Cliniko.')),
                ('patients', models.PositiveIntegerField(default=0, help_text='Mirrored patients when last measured.')),
                ('refused', models.PositiveIntegerField(default=0, help_text='Unreadable records when last measured.')),
                ('lag_by_hour', django.contrib.postgres.fields.ArrayField(base_field=models.PositiveIntegerField(null=True), help_text='The mirror\'s maximum lag in seconds, by hour.', size=None)),
                ('clinic', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='daily_stats', to='tenants.clinic')),
            ],
            options={
                'indexes': [models.Index(fields=['day'], name='ops_dailyst_day_ea997f_idx')],
                'constraints': [models.UniqueConstraint(fields=('clinic', 'day'), name='one_row_per_clinic_and_day'), models.CheckConstraint(condition=models.Q(('lag_by_hour__len', 24)), name='lag_has_24_hours')],
            },
        ),
        migrations.RunSQL(NO_PATIENT, DROP_NO_PATIENT),
    ]
