"""Every table and column of a clinic is exported or left out for a reason, and no secret is exported."""

from django.apps import AppConfig, apps
from django.conf import settings
from django.db.models import Model

from exports.registry import excluded_tables, export_tables

SECRET_WORDS = ("password", "digest", "token", "sealed", "secret", "session", "key")
NOT_SECRET = {
    "audit.Event.digest",  # chains the entries
    "sync.Connection.key_last4",
    "sync.Connection.key_state",
    "sync.Connection.key_user_name",
    "sync.Connection.key_user_role",
}


def models_of_a_clinic() -> list[type[Model]]:
    labels = {AppConfig.create(name).label for name in settings.TENANT_APPS}
    found = apps.get_models(include_auto_created=True)
    return [model for model in found if model._meta.app_label in labels and model._meta.managed]


def test_every_model_of_a_clinic_is_exported_or_left_out_with_a_reason() -> None:
    exported, excluded = [table.model for table in export_tables()], excluded_tables()
    assert len(exported) == len(set(exported))
    assert set(exported).isdisjoint(excluded)
    assert set(models_of_a_clinic()) == set(exported) | set(excluded), "register it: see exports/registry.py"
    assert all(excluded.values())


def test_every_column_of_an_exported_model_is_in_the_file_or_left_out_with_a_reason() -> None:
    for table in export_tables():
        columns = {field.column for field in table.model._meta.concrete_fields}
        assert set(table.columns).isdisjoint(table.excluded), table.name
        assert columns == set(table.columns) | set(table.excluded), f"{table.name}: see exports/registry.py"
        assert all(table.excluded.values()), table.name


def test_no_two_tables_share_a_file() -> None:
    names = [table.name for table in export_tables()]
    assert len(names) == len(set(names))


def test_no_column_named_like_a_secret_is_exported() -> None:
    exported = {f"{table.model._meta.label}.{column}" for table in export_tables() for column in table.columns}
    suspicious = {name for name in exported if any(word in name.rpartition(".")[2] for word in SECRET_WORDS)}
    assert suspicious == NOT_SECRET


def test_every_csv_heading_is_a_column_computed_or_a_payload_field() -> None:
    for table in export_tables():
        unknown = set(table.headings) - set(table.columns) - set(table.computed)
        assert not unknown or "payload" in table.columns, table.name
