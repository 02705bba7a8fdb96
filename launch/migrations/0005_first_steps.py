import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('launch', '0004_notes'),
    ]

    operations = [
        migrations.AddField(
            model_name='clinicsettings',
            name='first_steps_ended_at',
            field=models.DateTimeField(help_text='When somebody was through with them, or had enough of them.', null=True),
        ),
        migrations.AddField(
            model_name='clinicsettings',
            name='first_steps_put_off',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=20), default=list, help_text='Those that somebody wants to take later.', size=None),
        ),
    ]
