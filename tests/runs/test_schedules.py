"""Who may touch the schedules."""

import pytest
from django_celery_beat.models import PeriodicTask

from access.models import AuditEvent

pytestmark = pytest.mark.django_db
SCHEDULES = "/admin/django_celery_beat/periodictask/"


@pytest.mark.parametrize("action", ["enable_tasks", "disable_tasks", "toggle_tasks", "run_tasks"])
def test_who_may_only_look_runs_and_disables_nothing(desk_of, viewer, operator, action):
    reaper = PeriodicTask.objects.get(task="runs.reap")
    for user in (viewer, operator):
        desk = desk_of(user)
        assert action not in desk.get(SCHEDULES).content.decode()
        answer = desk.post(SCHEDULES, {"action": action, "_selected_action": [reaper.pk]}, follow=True)
        assert "success" not in answer.content.decode()
    reaper.refresh_from_db()
    assert reaper.enabled


def test_an_administrator_disables_a_schedule_on_record(desk_of, administrator):
    reaper = PeriodicTask.objects.get(task="runs.reap")
    desk_of(administrator).post(SCHEDULES, {"action": "disable_tasks", "_selected_action": [reaper.pk]})
    reaper.refresh_from_db()
    assert not reaper.enabled
    event = AuditEvent.objects.get(action="schedule.disable")
    assert (event.actor_name, event.object_id) == ("administrator", str(reaper.pk))
