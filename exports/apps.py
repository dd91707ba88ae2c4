from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ExportsConfig(AppConfig):
    name = "exports"
    verbose_name = _("Briefs")

    api_urls = "exports.api.urls"
    role_permissions = {
        "operator": [
            "exports.decide_manualreview",
            "exports.export_brief",
            "exports.run_export",
            "exports.add_article",
            "exports.change_article",
            "exports.export_article",
            "exports.export_exportrun",
        ],
        "administrator": [
            "exports.add_brieftemplate",
            "exports.change_brieftemplate",
            "exports.delete_brieftemplate",
            "exports.change_issuecounter",
            "exports.add_issuecounter",
        ],
    }
