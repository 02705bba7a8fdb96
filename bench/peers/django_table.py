"""One plain Django model, for the two importers that people write first."""

from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import django
from django.conf import settings

from bench.peers.reading import DATABASE_URL


def configure() -> None:
    address = urlsplit(DATABASE_URL)
    database = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": address.path.lstrip("/"),
        "USER": address.username,
        "HOST": parse_qs(address.query).get("host", [address.hostname])[0],
        "PORT": address.port,
    }
    settings.configure(DATABASES={"default": database}, USE_TZ=True, DEFAULT_AUTO_FIELD="django.db.models.BigAutoField")
    django.setup()


configure()

from django.db import connection, models


class Patient(models.Model):
    objects: ClassVar[models.Manager["Patient"]] = models.Manager()

    id = models.TextField(primary_key=True)
    updated_at = models.DateTimeField()
    archived_at = models.DateTimeField(null=True)
    payload = models.JSONField()

    class Meta:
        app_label = "bench"
        db_table = "patients"


def make_table() -> None:
    if Patient._meta.db_table not in connection.introspection.table_names():
        with connection.schema_editor() as editor:
            editor.create_model(Patient)
