from django.apps import AppConfig


class ExportsConfig(AppConfig):
    name = "exports"
    verbose_name = "Exports"
    clinic_only = True  # checked by tenants.checks

    def ready(self) -> None:
        from exports import contents, requests  # noqa: F401 - registers tables, connects signal receivers
