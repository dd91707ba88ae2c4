"""Schedules that apps ship, created once and then left to the operators."""

import json
from dataclasses import dataclass, field
from typing import Any

from django.apps import AppConfig, apps
from django.db import connections


@dataclass(frozen=True)
class Schedule:
    """A periodic task; `expires` seconds after its tick an unread message is dropped."""

    name: str
    task: str
    every_seconds: int
    queue: str
    expires: int
    kwargs: dict[str, Any] = field(default_factory=dict)


def declared_schedules() -> list[Schedule]:
    """What all apps ship."""
    return [schedule for config in apps.get_app_configs() for schedule in getattr(config, "schedules", [])]


def create_schedules(sender: AppConfig, using: str = "default", **kwargs: Any) -> None:
    """After migrate: add the app's schedules that do not exist yet; never touch one that does."""
    schedules: list[Schedule] = getattr(sender, "schedules", [])
    if not schedules:
        return
    from django_celery_beat.models import IntervalSchedule, PeriodicTask

    if PeriodicTask._meta.db_table not in connections[using].introspection.table_names():
        return  # `migrate runs` alone: beat's tables come later, and so does this signal again
    for schedule in schedules:
        if PeriodicTask.objects.using(using).filter(name=schedule.name).exists():
            continue
        interval, _ = IntervalSchedule.objects.using(using).get_or_create(
            every=schedule.every_seconds, period=IntervalSchedule.SECONDS
        )
        PeriodicTask.objects.using(using).create(
            name=schedule.name,
            task=schedule.task,
            interval=interval,
            queue=schedule.queue,
            expire_seconds=schedule.expires,
            kwargs=json.dumps(schedule.kwargs),
        )
