import django.contrib.postgres.fields
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='ButtonClick',
            fields=[
                ('kind', models.CharField(max_length=20, primary_key=True, serialize=False)),
                ('clicked_at', models.DateTimeField()),
                ('count', models.PositiveBigIntegerField(db_default=1, default=1, help_text='How many clicks of this kind counted.')),
                ('user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.CreateModel(
            name='ClinicSettings',
            fields=[
                ('id', models.SmallAutoField(primary_key=True, serialize=False)),
                ('shows_card_numbers', models.BooleanField(default=False, help_text='Whether staff may reveal Medicare and DVA numbers.')),
                ('onboarding_postponed', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=20), default=list, help_text='Names of the onboarding steps left for later.', size=None)),
                ('onboarding_finished_at', models.DateTimeField(help_text='When all steps were done, or a user hid the reminder.', null=True)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('id', 1)), name='one_row_of_clinic_settings')],
            },
        ),
        migrations.CreateModel(
            name='Note',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('patient_id', models.CharField(max_length=20)),
                ('text', models.TextField()),
                ('version', models.PositiveIntegerField(default=1, help_text='Incremented by each edit; an edit sends the one it began with.')),
                ('author', models.CharField(max_length=254)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('editor', models.CharField(blank=True, max_length=254)),
                ('edited_at', models.DateTimeField(null=True)),
                ('pinned', models.BooleanField(default=False)),
                ('deleted_by', models.CharField(blank=True, max_length=254)),
                ('deleted_at', models.DateTimeField(null=True)),
                ('set_aside_at', models.DateTimeField(help_text='When the clinic moved to another Cliniko account, where patient IDs mean other people.', null=True)),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('set_aside_at', None)), fields=['patient_id'], name='note_by_patient')],
            },
        ),
        migrations.CreateModel(
            name='Draft',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('patient_id', models.CharField(max_length=20)),
                ('version', models.PositiveBigIntegerField(help_text='The version of the note that the user is editing; 0 for a new note.')),
                ('view_id', models.BigIntegerField()),
                ('text', models.TextField()),
                ('saved_at', models.DateTimeField(db_index=True, default=django.utils.timezone.now)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('note', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='launch.note')),
            ],
            options={
                'indexes': [models.Index(fields=['user', 'patient_id'], name='draft_by_user_and_patient')],
            },
        ),
        migrations.CreateModel(
            name='NoteVersion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField()),
                ('text', models.TextField()),
                ('author', models.CharField(max_length=254)),
                ('author_email', models.CharField(max_length=254)),
                ('written_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('note', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='versions', to='launch.note')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('note', 'number'), name='one_note_version_of_a_number')],
            },
        ),
    ]
