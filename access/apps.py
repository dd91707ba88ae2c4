from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.core.checks import register
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class AccessConfig(AppConfig):
    name = "access"
    verbose_name = _("Access")
    api_urls = "access.api.urls"
    metrics = "access.metrics.collect"
    prunable = {
        "audit": "access.pruning.audit_events",
        "sign-ins": "access.pruning.sign_in_attempts",
        "sessions": "access.pruning.sessions",
        "tokens": "access.pruning.tokens",
    }
    role_permissions = {"administrator": ["axes.view_accessattempt", "axes.delete_accessattempt"]}

    def ready(self) -> None:
        from access import signins
        from access.checks import check_role_permissions
        from access.roles import grant_roles

        # connected after auth's own receiver, which makes the permissions: auth is installed before us
        post_migrate.connect(grant_roles, dispatch_uid="access.roles")
        user_logged_in.connect(signins.note_sign_in, dispatch_uid="access.signed_in")
        user_logged_out.connect(signins.note_sign_out, dispatch_uid="access.signed_out")
        user_login_failed.connect(signins.note_refused_sign_in, dispatch_uid="access.refused")
        register(check_role_permissions)
