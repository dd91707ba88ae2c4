from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from runs.schedules import Schedule


class DistillationsConfig(AppConfig):
    name = "distillations"
    verbose_name = _("Distillations")
    api_urls = "distillations.api.urls"
    home = "distillations.home.home"
    metrics = "distillations.metrics.collect"
    sample = "distillations.sample.load"
    doctor = ["distillations.checkup.examine"]
    schedules = [
        Schedule(
            name="Usage counters: compare them with their rows",
            task="distillations.tasks.verify_usage",
            every_seconds=3600,
            queue="default",
            expires=3600,
        )
    ]
    role_permissions = {
        "operator": [
            "distillations.add_distillation",
            "distillations.change_distillation",
            "distillations.delete_distillation",
            "distillations.run_distillation",
            "distillations.run_generation",
            "distillations.delete_generationtask",
            "distillations.delete_generatedarticle",
            "distillations.change_generatedarticle",
            "distillations.publish_generatedarticle",
            "distillations.add_conversiontarget",
            "distillations.change_conversiontarget",
            "distillations.delete_conversiontarget",
            "distillations.add_articlesetting",
            "distillations.change_articlesetting",
            "distillations.delete_articlesetting",
            "distillations.add_knowledgebase",
            "distillations.change_knowledgebase",
            "distillations.delete_knowledgebase",
            "distillations.export_distillation",
            "distillations.export_generationtask",
            "distillations.export_generatedarticle",
        ],
        "administrator": ["distillations.reset_usage", "distillations.repair_usage"],
    }
