import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Export',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('requested_by', models.CharField(max_length=254)),
                ('requested_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('state', models.CharField(choices=[('requested', 'Requested'), ('running', 'Running'), ('ready', 'Ready'), ('failed', 'Failed'), ('downloaded', 'Downloaded'), ('expired', 'Expired')], default='requested', max_length=10)),
                ('started_at', models.DateTimeField(null=True)),
                ('finished_at', models.DateTimeField(help_text='When it was ready or failed.', null=True)),
                ('expires_at', models.DateTimeField(null=True)),
                ('downloaded_by', models.CharField(blank=True, max_length=254)),
                ('downloaded_at', models.DateTimeField(null=True)),
                ('size', models.PositiveBigIntegerField(default=0, help_text='Bytes.')),
                ('failure', models.CharField(blank=True, help_text='A sentence for owners.', max_length=200)),
            ],
            options={
                'constraints': [models.UniqueConstraint(models.Value(1), condition=models.Q(('state__in', ['requested', 'running'])), name='one_export_in_progress'), models.CheckConstraint(condition=models.Q(('state__in', ['requested', 'running', 'ready', 'failed', 'downloaded', 'expired'])), name='export_state_known')],
            },
        ),
    ]
