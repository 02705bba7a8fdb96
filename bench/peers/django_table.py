"""A plain Django model for the two simplest importers."""

from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import django
from django.conf import settings

from bench.peers.cliniko_pages import DATABASE_URL


def configure() -> None:
    url = urlsplit(DATABASE_URL)
    database = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": url.path.lstrip("/"),
        "USER": url.username,
        "HOST": parse_qs(url.query).get("host", [url.hostname])[0],
        "PORT": url.port,
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


def create_table() -> None:
    if Patient._meta.db_table not in connection.introspection.table_names():
        with connection.schema_editor() as editor:
            editor.create_model(Patient)
