"""System checks: refuse settings that could show one clinic's rows to another."""

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, register

UNSAFE_SETTINGS = {
    "TENANT_LIMIT_SET_CALLS": "after an error inside a transaction the connection reads another clinic's rows",
    "SHOW_PUBLIC_IF_NO_TENANT_FOUND": "an unknown host would be answered by the public schema",
    "PG_EXTRA_SEARCH_PATHS": "a table missing in the clinic's schema would be read from another schema",
    "TENANT_BASE_SCHEMA": "cloning a schema copies live sessions",
}


@register
def check_tenant_settings(**_: object) -> list[CheckMessage]:
    return [
        Error(
            f"{name} must stay unset: {danger}.", hint=f"Remove {name} from the settings.", id=f"tenants.E{number:03}"
        )
        for number, (name, danger) in enumerate(UNSAFE_SETTINGS.items(), start=1)
        if getattr(settings, name, None)
    ]


@register
def check_app_schemas(**_: object) -> list[CheckMessage]:
    """Keep apps with `clinic_only = True` out of public, and users and sessions inside clinics."""
    clinic_only = {app.name for app in apps.get_app_configs() if getattr(app, "clinic_only", False)}
    user_app = apps.get_app_config(settings.AUTH_USER_MODEL.partition(".")[0]).name
    in_public = ", ".join(sorted(clinic_only & set(settings.SHARED_APPS)))
    missing = ", ".join(sorted({"django.contrib.sessions", user_app} - set(settings.TENANT_APPS)))
    errors: list[CheckMessage] = []
    if in_public:
        errors.append(Error(f"{in_public} must not be in SHARED_APPS: patients belong to a clinic.", id="tenants.E010"))
    if missing:
        errors.append(Error(f"{missing} must be in TENANT_APPS: a session belongs to a clinic.", id="tenants.E011"))
    return errors
