"""Generated articles: read them, publish them, take them along."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.http import content_disposition_header
from django.utils.safestring import SafeString
from django.utils.text import capfirst, slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from desk.admin import ReadOnlyAdmin
from desk.badges import badge
from desk.bulk import bulk_action
from desk.object_actions import Context, object_action
from distillations.admin.links import deleted, link_to, list_of, named
from distillations.admin.tasks import NOTHING, keys_of, say_if_short
from distillations.models import Distillation, GeneratedArticle, GenerationTask
from distillations.services import delete_articles, publish_article, publish_articles
from llm.generator import labelled

MAY_PUBLISH, MAY_DELETE = "distillations.publish_generatedarticle", "distillations.delete_generatedarticle"


@admin.register(GeneratedArticle)
class GeneratedArticleAdmin(ReadOnlyAdmin):
    list_display = (
        "title", "keyword_mark", "task_mark", "generator_mark", "published_mark", "created_at"
    )  # fmt: skip
    list_filter = ("is_published", "generator_kind", "created_at")
    list_select_related = ("distillation",)
    ordering = ("-created_at", "-id")
    search_fields = ("title",)  # shows the box; get_search_results asks the queryset
    search_help_text = gettext_lazy("The id, or a part of the title or keyword.")
    bulk_actions: ClassVar = ["publish_all", "unpublish_all", "delete_all"]
    object_actions: ClassVar = ["publish", "unpublish", "delete_article"]
    download_fields = (
        "id", "title", "keyword", "question", "conversion_target_name", "task_id", "distillation_id", "generator_kind",
        "generator_name", "generator_model", "is_published", "published_at", "created_at", "content",
    )  # fmt: skip
    list_empty_text = gettext_lazy("Articles appear here as soon as a generation task has written one.")
    change_form_template = "distillations/article.html"
    fieldsets = (
        (
            gettext_lazy("Made from"),
            {"fields": ("keyword_mark", "question", "task_mark", "target", "generator_mark", "created_at")},
        ),
        (gettext_lazy("Publication"), {"fields": ("published_mark", "published_at", "image_url")}),
    )
    readonly_fields = ("keyword_mark", "task_mark", "target", "generator_mark", "published_mark")

    class Media:
        css: ClassVar = {"all": ["distillations/tasks.css"]}

    def get_queryset(self, request: HttpRequest) -> Any:
        rows = super().get_queryset(request)
        shows_list = request.resolver_match is not None and str(request.resolver_match.url_name).endswith("changelist")
        return rows.defer("content", "requirements") if shows_list else rows

    def lookup_allowed(self, lookup: str, value: str, request: Any = None) -> bool:
        return lookup in ("task__id__exact", "distillation__id__exact") or super().lookup_allowed(
            lookup, value, request
        )

    def get_search_results(self, request: HttpRequest, articles: Any, text: str) -> tuple[Any, bool]:
        say_if_short(request, text)
        return articles.search(text), False

    def download_headings(self) -> dict[str, str]:
        headings = {"task_id": _("Task"), "distillation_id": _("Distillation")}
        headings |= {"conversion_target_name": _("Conversion target")}
        return {
            name: headings.get(name) or capfirst(str(self.opts.get_field(name).verbose_name))
            for name in self.download_fields
        }

    # --- One article ---------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_safe(self.markdown_view))
        name = "distillations_generatedarticle_markdown"
        return [path("<int:pk>/article.md", view, name=name), *super().get_urls()]

    def markdown_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The article as it leaves the house: its text below the line that says who wrote it."""
        article = self.shown_or_404(request, pk)
        text = labelled(article.content, article.generator_kind, article.generator_model)
        answer = HttpResponse(text, content_type="text/markdown; charset=utf-8")
        name = f"{slugify(article.title, allow_unicode=True)[:80] or 'article'}-{article.pk}.md"
        answer["Content-Disposition"] = content_disposition_header(True, name) or ""
        answer["X-Content-Type-Options"] = "nosniff"
        return answer

    def page_context(self, article: GeneratedArticle) -> Context:
        return {"markdown_url": reverse("admin:distillations_generatedarticle_markdown", args=[article.pk])}

    @object_action(
        label=gettext_lazy("Publish"),
        permission=MAY_PUBLISH,
        tone="info",
        when=lambda article: not article.is_published,
    )
    def publish(self, request: HttpRequest, article: GeneratedArticle) -> None:
        publish_article(article, published=True, actor=request.user)
        self.message_user(request, _("The article is published."))

    @object_action(
        label=gettext_lazy("Take back"),
        permission=MAY_PUBLISH,
        when=lambda article: article.is_published,
    )
    def unpublish(self, request: HttpRequest, article: GeneratedArticle) -> None:
        publish_article(article, published=False, actor=request.user)
        self.message_user(request, _("The article is no longer published."))

    @object_action(
        label=gettext_lazy("Delete"),
        permission=MAY_DELETE,
        confirm=gettext_lazy("Its text is gone for good, and its distillation counts as used once less."),
        tone="danger",
    )
    def delete_article(self, request: HttpRequest, article: GeneratedArticle) -> HttpResponse:
        delete_articles([article.pk], actor=request.user)
        self.message_user(request, _("The article was deleted."))
        return redirect(list_of(GeneratedArticle))

    # --- Many at once --------------------------------------------------------------------------------

    @bulk_action(
        label=gettext_lazy("Publish"),
        permission=MAY_PUBLISH,
        confirm=gettext_lazy("Those that are not published are published now."),
        breakdown="generator_kind",
        tone="info",
    )
    def publish_all(self, request: HttpRequest, articles: Any) -> int:
        return len(publish_articles(keys_of(articles), published=True, actor=request.user))

    @bulk_action(
        label=gettext_lazy("Take back"),
        permission=MAY_PUBLISH,
        confirm=gettext_lazy("Those that are published are no longer."),
        breakdown="generator_kind",
    )
    def unpublish_all(self, request: HttpRequest, articles: Any) -> int:
        return len(publish_articles(keys_of(articles), published=False, actor=request.user))

    @bulk_action(
        label=gettext_lazy("Delete"),
        permission=MAY_DELETE,
        confirm=gettext_lazy("Their texts are gone for good, and what they used counts as used less often."),
        breakdown="generator_kind",
        tone="danger",
    )
    def delete_all(self, request: HttpRequest, articles: Any) -> int:
        return len(delete_articles(keys_of(articles), actor=request.user))

    # --- Cells ---------------------------------------------------------------------------------------

    @admin.display(description=gettext_lazy("keyword"))
    def keyword_mark(self, article: GeneratedArticle) -> SafeString | str:
        """As it was when the article was written; its distillation may have another one by now."""
        if not article.keyword:
            return NOTHING
        is_deleted = article.distillation_id is None
        return named(article.keyword, is_deleted=is_deleted, model=Distillation, pk=article.distillation_id)

    @admin.display(description=gettext_lazy("task"))
    def task_mark(self, article: GeneratedArticle) -> SafeString | str:
        if article.task_id is None:
            return format_html("{}{}", _("Task"), deleted())
        return link_to(GenerationTask, article.task_id, f"#{article.task_id}")

    @admin.display(description=gettext_lazy("conversion target"))
    def target(self, article: GeneratedArticle) -> str:
        return article.conversion_target_name or NOTHING

    @admin.display(description=gettext_lazy("written by"))
    def generator_mark(self, article: GeneratedArticle) -> SafeString:
        return article.generator_badge

    @admin.display(description=gettext_lazy("published"))
    def published_mark(self, article: GeneratedArticle) -> SafeString:
        return badge(_("published"), "ok") if article.is_published else badge(_("not published"), "muted")
