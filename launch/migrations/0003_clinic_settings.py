from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('launch', '0002_access_log_moves'),
    ]

    operations = [
        migrations.CreateModel(
            name='ClinicSettings',
            fields=[
                ('id', models.SmallAutoField(primary_key=True, serialize=False)),
                ('shows_card_numbers', models.BooleanField(default=False, help_text='Whether staff may uncover Medicare and DVA numbers.')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('id', 1)), name='one_row_of_clinic_settings')],
            },
        ),
    ]
