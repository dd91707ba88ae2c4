from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class RoadmapsConfig(AppConfig):
    name = "roadmaps"
    verbose_name = _("Roadmaps")

    api_urls = "roadmaps.api.urls"
    metrics = "roadmaps.metrics.collect"
    sample = "roadmaps.sample.load"
    doctor = ["roadmaps.checkup.examine"]
    prunable = {
        "roadmap-tutorials": "roadmaps.pruning.tutorials",
        "roadmap-resources": "roadmaps.pruning.resources",
        "roadmap-quizzes": "roadmaps.pruning.quizzes",
    }
    home = "roadmaps.home.home"
    role_permissions = {
        "operator": [
            "roadmaps.run_roadmap",
            "roadmaps.delete_roadmap",
            "roadmaps.export_roadmaptask",
        ],
        "administrator": ["roadmaps.see_all_roadmaps"],
    }
