from django.apps import AppConfig


class LaunchConfig(AppConfig):
    name = "launch"
    verbose_name = "What staff see"

    def ready(self) -> None:
        from launch import drafts, notes  # noqa: F401 - which are set aside when the clinic moves to another account
