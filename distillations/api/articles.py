"""Generated articles as programs see them. Their text is Markdown, handed out as it is stored and never rendered."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api.conditional import ConditionalRetrieve
from api.filters import BooleanFilter, FilterSet, WholeNumberFilter
from api.serializers import ModelSerializer, Serializer
from api.views import OpsViewSet
from distillations import services
from distillations.api.shared import BatchDeletedSerializer, DoneSerializer, PagedByKey, deleted, keys, or_missing
from distillations.models import GeneratedArticle
from distillations.querysets import GeneratedArticleQuerySet
from llm.api import GeneratorSerializer

NO_SUCH_ARTICLE = gettext_lazy("This article does not exist.")


class ArticleRowSerializer(ModelSerializer):
    """An article in a list: how it begins, and who wrote it. The queryset must be with_preview()."""

    task_id = serializers.IntegerField(read_only=True, allow_null=True)
    distillation_id = serializers.IntegerField(read_only=True, allow_null=True)
    image_url = serializers.SerializerMethodField()
    preview = serializers.CharField(read_only=True, help_text="How the Markdown begins.")
    generator = GeneratorSerializer(source="*", read_only=True)

    class Meta:
        model = GeneratedArticle
        fields: tuple[str, ...] = (
            "id", "title", "keyword", "question", "distillation_id", "task_id", "conversion_target_name", "provider",
            "generator", "image_url", "preview", "is_published", "published_at", "created_at", "updated_at",
        )  # fmt: skip
        read_only_fields = fields

    def get_image_url(self, article: GeneratedArticle) -> str | None:
        """Null without a picture."""
        return article.image_url or None


class ArticleSerializer(ArticleRowSerializer):
    """A whole article."""

    requirements = serializers.SerializerMethodField()

    class Meta(ArticleRowSerializer.Meta):
        fields = (*ArticleRowSerializer.Meta.fields, "content", "requirements")
        read_only_fields = fields

    def get_requirements(self, article: GeneratedArticle) -> str | None:
        """Null where none were given."""
        return article.requirements or None


class PublishSerializer(Serializer):
    """Whether it is to be published."""

    is_published = serializers.BooleanField()


class ArticleIdsSerializer(Serializer):
    """Which articles."""

    article_ids = keys()


class ArticleFilter(FilterSet):
    """Filters of the articles."""

    task_id = WholeNumberFilter("task_id")
    distillation_id = WholeNumberFilter("distillation_id")
    is_published = BooleanFilter("is_published")
    search = django_filters.CharFilter(
        method="searched",
        label="Words, each a part of title or keyword; one of less than 3 characters begins them.",
    )

    def searched(self, articles: GeneratedArticleQuerySet, name: str, value: str) -> QuerySet:
        """Articles that every word fits."""
        return articles.search(value)


class ArticleViewSet(PagedByKey, ConditionalRetrieve, mixins.ListModelMixin, OpsViewSet):
    """What was written. Recording that it was is no route: only a task makes articles."""

    queryset = GeneratedArticle.objects.with_preview().newest_first()
    serializer_class = ArticleRowSerializer
    filterset_class = ArticleFilter
    plural = "articles"
    version_field = None  # a deleted task or distillation changes the answer and not the row's own time
    permissions = {
        "list": "distillations.view_generatedarticle",
        "retrieve": "distillations.view_generatedarticle",
        "publish": "distillations.publish_generatedarticle",
        "destroy": "distillations.delete_generatedarticle",
        "batch_delete": "distillations.delete_generatedarticle",
    }

    def get_queryset(self) -> Any:
        articles = super().get_queryset()
        return articles.defer(None) if self.action == "retrieve" else articles

    def get_serializer_class(self) -> type[ArticleRowSerializer]:
        return ArticleSerializer if self.action == "retrieve" else ArticleRowSerializer

    def get_object(self) -> GeneratedArticle:
        with or_missing(NO_SUCH_ARTICLE):
            return super().get_object()

    @extend_schema(request=PublishSerializer, responses=ArticleRowSerializer)
    @action(detail=True, methods=["put"])
    def publish(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Publish it now, or take it back; the same wish again changes nothing."""
        wish = PublishSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        article = self.get_object()
        with or_missing(NO_SUCH_ARTICLE):
            services.publish_article(article, published=wish.validated_data["is_published"], actor=request.user)
        return Response(self.get_serializer(self.get_object()).data)

    @extend_schema(responses={200: DoneSerializer})
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Delete one; its distillation counts as used once less."""
        article = self.get_object()
        if not services.delete_articles([article.pk], actor=request.user):
            self.get_object()  # somebody else was faster: it is missing
        return Response(DoneSerializer({"success": True, "message": _("The article was deleted.")}).data)

    @extend_schema(request=ArticleIdsSerializer, responses=BatchDeletedSerializer)
    @action(detail=False, methods=["post"], url_path="batch-delete")
    def batch_delete(self, request: Request) -> Response:
        """Delete these; ids that are nobody's are left out."""
        wish = ArticleIdsSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        ids = services.delete_articles(wish.validated_data["article_ids"], actor=request.user)
        return deleted(ids, ngettext("%(count)s article was deleted.", "%(count)s articles were deleted.", len(ids)))
