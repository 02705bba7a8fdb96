from django.apps import AppConfig


class LaunchConfig(AppConfig):
    name = "launch"
    verbose_name = "What staff see"

    def ready(self) -> None:
        from launch import button_clicks, drafts, notes  # noqa: F401 - connects their signal receivers
