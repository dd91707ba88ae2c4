"""All routes of this app, below /api/v1/ and /api/."""

from django.urls import include, path

from api.routing import Router
from distillations.api import articles, found, histories, materials, runs, sources, tasks

router = Router()
router.register("generation/tasks", tasks.TaskViewSet, basename="generation-task")
router.register("article-generation/tasks", tasks.OlderTaskViewSet, basename="article-generation-task")
router.register("articles", articles.ArticleViewSet, basename="article")
router.register("distillation/runs", runs.DistillationRunViewSet, basename="distillation-run")
router.register("distillation", sources.DistillationViewSet, basename="distillation")
router.register(f"{found.PREFIX}/usage-history", histories.UsageHistoryViewSet, basename="usage-history")
router.register(f"{found.PREFIX}/usage", histories.UsageViewSet, basename="usage")
router.register(f"{found.PREFIX}/topics", histories.TopicViewSet, basename="topic")
router.register("conversion-targets", materials.ConversionTargetViewSet, basename="conversion-target")
router.register("article-settings", materials.ArticleSettingViewSet, basename="article-setting")
router.register("knowledge-bases", materials.KnowledgeBaseViewSet, basename="knowledge-base")
router.register(materials.DOCUMENTS, materials.KnowledgeDocumentViewSet, basename="knowledge-document")

urlpatterns = [
    path("distillation", runs.DistillationRunViewSet.as_view({"post": "distil"}), name="distil"),
    path("", include(router.urls)),
]
