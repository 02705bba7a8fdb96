from django.apps import AppConfig


class LaunchConfig(AppConfig):
    name = "launch"
    verbose_name = "What staff see"

    def ready(self) -> None:
        from launch import (  # noqa: F401 - they hear what rooms below tell
            button,
            drafts,
            notes,
        )
