"""System checks: settings under which a clinic could see another's rows."""

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

UNSAFE = {
    "TENANT_LIMIT_SET_CALLS": "after an error inside a transaction the connection reads another clinic's rows",
    "SHOW_PUBLIC_IF_NO_TENANT_FOUND": "an unknown host would be answered by the public schema",
    "PG_EXTRA_SEARCH_PATHS": "a missing table would be looked for outside the clinic",
    "TENANT_BASE_SCHEMA": "cloning a schema copies live sessions",
}


@register
def check_tenant_settings(**_: object) -> list[CheckMessage]:
    return [
        Error(
            f"{name} must stay unset: {danger}.", hint=f"Remove {name} from the settings.", id=f"tenants.E{number:03}"
        )
        for number, (name, danger) in enumerate(UNSAFE.items(), start=1)
        if getattr(settings, name, None)
    ]


@register
def check_app_schemas(**_: object) -> list[CheckMessage]:
    inside_only = {"sync", "launch"} & set(settings.SHARED_APPS)
    missing = {"django.contrib.sessions", "accounts"} - set(settings.TENANT_APPS)
    errors: list[CheckMessage] = []
    if inside_only:
        errors.append(
            Error(
                f"{', '.join(sorted(inside_only))} must not be in SHARED_APPS: patients live in clinics.",
                id="tenants.E010",
            )
        )
    if missing:
        errors.append(
            Error(
                f"{', '.join(sorted(missing))} must be in TENANT_APPS: a session counts in one clinic.",
                id="tenants.E011",
            )
        )
    return errors
