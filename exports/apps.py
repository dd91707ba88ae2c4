from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from runs.schedules import Schedule


class ExportsConfig(AppConfig):
    name = "exports"
    verbose_name = _("Briefs")

    api_urls = "exports.api.urls"
    home = "exports.home.home"
    metrics = "exports.metrics.collect"
    doctor = ["exports.checkup.examine"]
    sample = "exports.sample.load"
    schedules = [
        Schedule(
            name="Worker's brief",
            task="exports.tasks.run_export",
            every_seconds=86_400,
            queue="default",
            expires=3_600,
        )
    ]
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
