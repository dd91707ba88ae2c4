from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ApiConfig(AppConfig):
    name = "api"
    verbose_name = _("API")
    prunable = {"idempotency-keys": "api.services.expired_keys"}

    def ready(self) -> None:
        from api.downloads import TooManyRows
        from api.problems import register
        from api.selections import SelectionChanged

        register(TooManyRows, status=400)
        register(SelectionChanged, status=409)
