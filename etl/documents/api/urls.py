"""Routes of documents."""

from django.urls import include, path

from api.routing import Router
from etl.documents.api.health import HealthView
from etl.documents.api.mounts import MountViewSet, TaskMountView
from etl.documents.api.projects import ProjectViewSet
from etl.documents.api.rules import RuleViewSet
from etl.documents.api.tables import TableViewSet
from etl.documents.api.tasks import TaskViewSet

router = Router()
router.register("tasks", TaskViewSet, basename="document-task")
router.register("rules", RuleViewSet, basename="document-rule")
router.register("projects", ProjectViewSet, basename="project")
router.register("tables", TableViewSet, basename="table")
router.register("mounts", MountViewSet, basename="mount")

urlpatterns = [
    path("health", HealthView.as_view(), name="document-health"),
    path("tasks/<int:task_id>/mount", TaskMountView.as_view(), name="mount-task"),
    path("", include(router.urls)),
]
