from django.apps import AppConfig
from django.conf import settings
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _

from runs.schedules import Schedule, create_schedules


class RunsConfig(AppConfig):
    name = "runs"
    verbose_name = _("Runs")
    metrics = "runs.metrics.collect"
    doctor = ["runs.checkup.examine"]
    role_permissions = {
        "viewer": ["django_celery_beat.view_periodictask"],
        "administrator": [
            f"django_celery_beat.{verb}_{noun}"
            for noun in ("periodictask", "intervalschedule", "crontabschedule")
            for verb in ("view", "add", "change", "delete")
        ],
    }
    schedules = [
        Schedule(
            name="Reaper: ring again, take over, end the hopeless",
            task="runs.reap",
            every_seconds=max(1, int(settings.REAPER_SECONDS)),
            queue="control",
            # a reaper round that waited for the next one is of no use
            expires=max(1, int(settings.REAPER_SECONDS)),
        )
    ]

    def ready(self) -> None:
        from api.problems import register
        from runs import workers  # noqa: F401 - connects the heartbeat signal
        from runs.errors import Conflict, Contention

        register(Conflict, status=409)
        register(Contention, status=503)
        post_migrate.connect(create_schedules, dispatch_uid="runs.create_schedules")
