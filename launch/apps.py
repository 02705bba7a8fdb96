from django.apps import AppConfig


class LaunchConfig(AppConfig):
    name = "launch"
    verbose_name = "What staff see"
    clinic_only = True  # checked by tenants.checks

    def ready(self) -> None:
        from launch import button_clicks, drafts, export_tables, notes  # noqa: F401 - connects receivers, registers tables
