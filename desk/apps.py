from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig
from django.utils.translation import gettext_lazy as _


class DeskAdminConfig(AdminConfig):
    """django.contrib.admin with our site in place of the default one."""

    default_site = "desk.site.PressroomAdminSite"


class DeskConfig(AppConfig):
    name = "desk"
    verbose_name = _("Desk")
