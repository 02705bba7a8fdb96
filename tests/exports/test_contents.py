"""What is exported is decided, table by table and column by column: nothing is forgotten, and no secret slips in."""

from django.apps import AppConfig, apps
from django.conf import settings
from django.db.models import Model

from exports import queries
from exports.contents import NOT_EXPORTED, TABLES

SECRET = ("password", "digest", "token", "sealed", "secret", "session", "key")
NOT_SECRET = {
    "audit.Event.digest",  # chains the lines
    "sync.Connection.key_last4",
    "sync.Connection.key_state",
    "sync.Connection.key_user_name",
    "sync.Connection.key_user_role",
}


def models_of_a_clinic() -> list[type[Model]]:
    rooms = {AppConfig.create(name).label for name in settings.TENANT_APPS}
    found = apps.get_models(include_auto_created=True)
    return [model for model in found if model._meta.app_label in rooms and model._meta.managed]


def test_every_model_of_a_clinic_is_exported_or_left_out_with_a_reason() -> None:
    here = {model._meta.label for model in models_of_a_clinic()}
    exported, left_out = [table.model for table in TABLES], set(NOT_EXPORTED)
    assert len(exported) == len(set(exported))
    assert set(exported).isdisjoint(left_out)
    assert here == set(exported) | left_out, "name it in exports/contents.py"
    assert all(NOT_EXPORTED.values())


def test_every_column_of_an_exported_model_is_in_the_file_or_left_out_with_a_reason() -> None:
    for table in TABLES:
        here = {field.column for field in queries.model_of(table)._meta.concrete_fields}
        assert set(table.columns).isdisjoint(table.without), table.name
        assert here == set(table.columns) | set(table.without), f"{table.model}: name it in exports/contents.py"


def test_nothing_that_is_named_like_a_secret_is_exported() -> None:
    exported = {f"{table.model}.{column}" for table in TABLES for column in table.columns}
    like_secrets = {name for name in exported if any(word in name.rpartition(".")[2] for word in SECRET)}
    assert like_secrets == NOT_SECRET


def test_a_heading_that_is_no_column_is_computed_or_a_field_of_a_payload() -> None:
    for table in TABLES:
        unknown = set(table.sheet) - set(table.columns) - set(table.computed)
        assert not unknown or "payload" in table.columns, table.name
