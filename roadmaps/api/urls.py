"""All routes of this app, below /api/v1/ and /api/."""

from django.urls import include, path

from api.routing import Router
from roadmaps.api import concepts, learning, roadmaps, tasks
from roadmaps.api.shared import CONCEPT_ID, ROADMAP_ID

router = Router()
router.register("roadmaps/tasks", tasks.TaskViewSet, basename="roadmap-task")
router.register("roadmaps", roadmaps.RoadmapViewSet, basename="roadmap")
_roadmap = f"roadmaps/(?P<roadmap_id>{ROADMAP_ID})/concepts"
router.register(_roadmap, concepts.ConceptViewSet, basename="roadmap-concept")
_concept = f"{_roadmap}/(?P<concept_id>{CONCEPT_ID})"
router.register(f"{_concept}/quiz-attempts", learning.QuizAttemptViewSet, basename="quiz-attempt")

urlpatterns = [
    path("generation/roadmap", tasks.RequestView.as_view(), name="request-roadmap"),
    path("generation/retry/<uuid:task_id>", tasks.RetryView.as_view(), name="retry-roadmap"),
    path("generation/cancel/<uuid:task_id>", tasks.CancelView.as_view(), name="cancel-roadmap"),
    path("generation/approve/<uuid:task_id>", tasks.ApproveView.as_view(), name="approve-roadmap"),
    path("roadmaps/generate", tasks.OlderRequestView.as_view(), name="generate-roadmap"),
    path("", include(router.urls)),
]
