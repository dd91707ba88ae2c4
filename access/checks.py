"""`manage.py check` for what a role is promised: a misspelt permission would silently grant nothing."""

from typing import Any

from django.apps import apps
from django.contrib.auth import get_permission_codename
from django.core.checks import CheckMessage, Error

from access.roles import ADMINISTRATOR, OPERATOR, declared_permissions


def check_role_permissions(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Every permission named in an AppConfig's role_permissions belongs to a model."""
    existing = {
        f"{options.app_label}.{codename}"
        for options in (model._meta for model in apps.get_models())
        for codename in (
            *(get_permission_codename(action, options) for action in options.default_permissions),
            *(codename for codename, _name in options.permissions),
        )
    }
    return [
        Error(f"role_permissions[{role!r}] names {permission!r}, which no model declares.", id="access.E001")
        for role in (OPERATOR, ADMINISTRATOR)
        for permission in declared_permissions(role)
        if permission not in existing
    ]
