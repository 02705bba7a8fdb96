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
                ('asked_by', models.CharField(max_length=254)),
                ('asked_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('state', models.CharField(choices=[('asked', 'Asked'), ('being_made', 'Being Made'), ('ready', 'Ready'), ('failed', 'Failed'), ('fetched', 'Fetched'), ('expired', 'Expired')], default='asked', max_length=10)),
                ('started_at', models.DateTimeField(null=True)),
                ('finished_at', models.DateTimeField(help_text='When it was ready, or had failed.', null=True)),
                ('expires_at', models.DateTimeField(null=True)),
                ('fetched_by', models.CharField(blank=True, max_length=254)),
                ('fetched_at', models.DateTimeField(null=True)),
                ('size', models.PositiveBigIntegerField(default=0, help_text='Bytes.')),
                ('failure', models.CharField(blank=True, help_text='A sentence for owners.', max_length=200)),
            ],
            options={
                'constraints': [models.UniqueConstraint(models.Value(1), condition=models.Q(('state__in', ['asked', 'being_made'])), name='one_export_under_way'), models.CheckConstraint(condition=models.Q(('state__in', ['asked', 'being_made', 'ready', 'failed', 'fetched', 'expired'])), name='export_state_known')],
            },
        ),
    ]
