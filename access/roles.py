"""The three roles, granted after every migrate.

Not in a migration: permissions exist only once post_migrate has made them, and a flushed test
database emits the signal again, so the roles come back by themselves.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.apps import AppConfig
from django.apps import apps as installed
from django.conf import settings
from django.db.models import Q

VIEWER, OPERATOR, ADMINISTRATOR = "viewer", "operator", "administrator"

# who holds which token, and who asked for what, is for those who manage them
FOR_ADMINISTRATORS = ["view_accesstoken", "view_idempotencykey"]


def project_apps() -> list[AppConfig]:
    """Our own apps: they live directly below BASE_DIR (.venv does not)."""
    return [config for config in installed.get_app_configs() if Path(config.path).parent == settings.BASE_DIR]


def grant_roles(sender: AppConfig, using: str, apps: Any = installed, **kwargs: Any) -> None:
    """post_migrate: give each group its permissions; what an administrator added by hand stays."""
    # the signal comes once per app, in order; only after the last one do all permissions exist
    if sender.label != [config.label for config in installed.get_app_configs() if config.models_module][-1]:
        return
    try:
        group_model, permission_model = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    except LookupError:
        return  # migrated back to a time without auth
    permissions = permission_model.objects.using(using)
    own_labels = [config.label for config in project_apps()]
    viewing = _named(permissions, VIEWER) | permissions.filter(
        content_type__app_label__in=own_labels, codename__startswith="view_"
    ).exclude(codename__in=FOR_ADMINISTRATORS)
    operating = _named(permissions, OPERATOR)
    administering = _named(permissions, ADMINISTRATOR) | permissions.filter(
        content_type__app_label__in=["access", "api", "auth"]
    )
    roles = {
        VIEWER: viewing,
        OPERATOR: viewing | operating,
        ADMINISTRATOR: viewing | operating | administering,
    }
    for name, granted in roles.items():
        group, _created = group_model.objects.using(using).get_or_create(name=name)
        group.permissions.add(*granted.distinct())


def _named(permissions: Any, role: str) -> Any:
    wanted = Q(pk__in=[])
    for app_label, codename in map(_split, declared_permissions(role)):
        wanted |= Q(content_type__app_label=app_label, codename=codename)
    return permissions.filter(wanted)


def declared_permissions(role: str) -> Iterable[str]:
    """What the apps ask for a role beside the automatic view rights, as "app.codename"."""
    for config in project_apps():
        yield from getattr(config, "role_permissions", {}).get(role, [])


def _split(permission: str) -> tuple[str, str]:
    app_label, _dot, codename = permission.partition(".")
    return app_label, codename
