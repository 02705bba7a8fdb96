import django.contrib.postgres.fields
import django.db.models.deletion
import django.utils.timezone
import tenants.models
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='KeyBudget',
            fields=[
                ('fingerprint', models.CharField(max_length=32, primary_key=True, serialize=False)),
                ('background', django.contrib.postgres.fields.ArrayField(base_field=models.DateTimeField(), default=list, size=None)),
                ('launches', django.contrib.postgres.fields.ArrayField(base_field=models.DateTimeField(), default=list, size=None)),
                ('blocked_until', models.DateTimeField(help_text='No requests until then: Cliniko answered 429.', null=True)),
                ('used_at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
        ),
        migrations.CreateModel(
            name='Clinic',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('schema_name', models.CharField(default=tenants.models.new_schema_name, editable=False, max_length=63, unique=True)),
                ('label', models.CharField(max_length=63, unique=True)),
                ('name', models.CharField(max_length=200)),
                ('state', models.CharField(choices=[('setup', 'Setup'), ('active', 'Active'), ('suspended', 'Suspended'), ('closing', 'Closing'), ('purged', 'Purged')], default='active', max_length=10)),
                ('state_since', models.DateTimeField(default=django.utils.timezone.now)),
                ('state_reason', models.CharField(blank=True, help_text='Why, for operators. Never about a patient.', max_length=200)),
                ('closing_on', models.DateField(help_text='The first day on which staff can no longer sign in.', null=True)),
                ('closing_reminded_days', models.PositiveSmallIntegerField(help_text='Days before closing at which owners were last reminded.', null=True)),
                ('purged_at', models.DateTimeField(help_text='When all but this row and its labels was deleted.', null=True)),
                ('certificate', models.JSONField(help_text='The counts of what a purge deleted.', null=True)),
                ('sync_due_at', models.DateTimeField(db_index=True, default=django.utils.timezone.now)),
                ('sync_state', models.CharField(default='no_key', max_length=16)),
                ('key_state', models.CharField(db_default='missing', default='missing', max_length=10)),
                ('checked_at', models.DateTimeField(help_text='When its patients were last in line with Cliniko.', null=True)),
                ('has_more', models.BooleanField(default=True, help_text='Whether its first import or last sync is unfinished.')),
                ('audit_length', models.PositiveBigIntegerField(default=0, help_text='Audit log entries when it was last intact.')),
                ('audit_head', models.CharField(blank=True, help_text='The digest of the last of these entries.', max_length=64)),
                ('audit_broken_at', models.PositiveBigIntegerField(help_text='The first entry that was tampered with.', null=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('label__regex', '^[a-z0-9](?:[a-z0-9-]{1,61}[a-z0-9])$'), models.Q(('label__startswith', 'xn--'), ('label__in', ['account', 'accounts', 'admin', 'administrator', 'api', 'app', 'assets', 'auth', 'autoconfig', 'autodiscover', 'billing', 'blog', 'cdn', 'cliniko', 'console', 'dashboard', 'dns', 'docs', 'email', 'ftp', 'health', 'help', 'host', 'hostmaster', 'imap', 'info', 'internal', 'intranet', 'invite', 'isatap', 'landing', 'localhost', 'login', 'logout', 'mail', 'media', 'metrics', 'mta', 'mta-sts', 'noc', 'ns1', 'ns2', 'ns3', 'ns4', 'ops', 'owner', 'password', 'pop3', 'portal', 'postmaster', 'private', 'public', 'root', 'sandbox', 'secure', 'security', 'server', 'settings', 'sidechart', 'sign-in', 'sign-up', 'signin', 'signup', 'smtp', 'ssl', 'static', 'status', 'support', 'sync', 'sysadmin', 'system', 'usenet', 'vpn', 'webmail', 'webmaster', 'wpad', 'www', 'www1', 'www2', 'www3']), _connector='OR', _negated=True)), name='clinic_label_is_a_subdomain'), models.CheckConstraint(condition=models.Q(('schema_name__regex', '^clinic_[0-9a-f]{16}$')), name='clinic_schema_name_is_random'), models.CheckConstraint(condition=models.Q(('state__in', ['setup', 'active', 'suspended', 'closing', 'purged'])), name='clinic_state_known'), models.CheckConstraint(condition=models.Q(models.Q(('closing_on__isnull', False), ('state', 'closing')), models.Q(models.Q(('state', 'closing'), _negated=True), ('closing_on', None)), _connector='OR'), name='closing_clinic_has_a_date')],
            },
        ),
        migrations.CreateModel(
            name='MetricSample',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=80)),
                ('labels', models.JSONField(default=dict)),
                ('value', models.FloatField()),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('name', 'labels'), name='unique_metric_sample')],
            },
        ),
        migrations.CreateModel(
            name='Domain',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('domain', models.CharField(db_index=True, max_length=253, unique=True)),
                ('is_primary', models.BooleanField(db_index=True, default=True)),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='domains', to='tenants.clinic')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('domain__regex', '^[a-z0-9](?:[a-z0-9-]{1,61}[a-z0-9])$'), models.Q(('domain__startswith', 'xn--'), ('domain__in', ['account', 'accounts', 'admin', 'administrator', 'api', 'app', 'assets', 'auth', 'autoconfig', 'autodiscover', 'billing', 'blog', 'cdn', 'cliniko', 'console', 'dashboard', 'dns', 'docs', 'email', 'ftp', 'health', 'help', 'host', 'hostmaster', 'imap', 'info', 'internal', 'intranet', 'invite', 'isatap', 'landing', 'localhost', 'login', 'logout', 'mail', 'media', 'metrics', 'mta', 'mta-sts', 'noc', 'ns1', 'ns2', 'ns3', 'ns4', 'ops', 'owner', 'password', 'pop3', 'portal', 'postmaster', 'private', 'public', 'root', 'sandbox', 'secure', 'security', 'server', 'settings', 'sidechart', 'sign-in', 'sign-up', 'signin', 'signup', 'smtp', 'ssl', 'static', 'status', 'support', 'sync', 'sysadmin', 'system', 'usenet', 'vpn', 'webmail', 'webmaster', 'wpad', 'www', 'www1', 'www2', 'www3']), _connector='OR', _negated=True)), name='domain_is_a_label'), models.UniqueConstraint(condition=models.Q(('is_primary', True)), fields=('tenant',), name='one_primary_domain_for_each_clinic')],
            },
        ),
    ]
