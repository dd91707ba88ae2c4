"""Articles: look them up, correct one, take a file in. Everything is written by the service that takes articles in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from access.services import record
from desk.admin import OpsModelAdmin
from desk.badges import Tone, badge
from desk.object_actions import Context
from exports.article_files import FORMAT_OF, Imported, Line, import_articles
from exports.choices import Region, ReviewStatus, Sentiment
from exports.ingest import ROWS_AT_MOST, ingest_articles
from exports.listing import appearances
from exports.models import Article
from exports.querysets import SHORTEST_PART
from exports.rows import Fault, Row, read_row

FILE_AT_MOST = 20_000_000  # bytes
FAULTS_SHOWN = 100
WRITTEN = (
    "title", "source", "url", "published_at", "summary", "content", "keywords", "score", "importance", "region",
    "sentiment", "section",
)  # fmt: skip
REGION_TONES: dict[str, Tone] = {Region.INTERNAL: "info", Region.EXTERNAL: "neutral"}
SENTIMENT_TONES: dict[str, Tone] = {Sentiment.POSITIVE: "ok", Sentiment.NEGATIVE: "warning"}
STATUS_TONES: dict[str, Tone] = {
    ReviewStatus.SELECTED: "ok",
    ReviewStatus.BACKUP: "info",
    ReviewStatus.DISCARDED: "muted",
    ReviewStatus.EXPORTED: "info",
}


class ArticleForm(forms.ModelForm):
    keywords = forms.CharField(
        label=gettext_lazy("keywords"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "class": "vLargeTextField"}),
        help_text=gettext_lazy("One per line."),
    )

    class Meta:
        model = Article
        fields = ("article_id", *WRITTEN)
        widgets = {
            name: forms.TextInput(attrs={"class": "vTextField"})
            for name in ("article_id", "title", "source", "url", "section")
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["keywords"] = "\n".join(map(str, self.instance.keywords or []))

    def clean_keywords(self) -> list[str]:
        """As the column holds them."""
        return [word for word in map(str.strip, self.cleaned_data["keywords"].splitlines()) if word]

    def clean(self) -> dict[str, Any]:
        """What the service would refuse is refused here, beside its field."""
        cleaned = super().clean() or {}
        if not self.errors:
            read = read_row(0, self.as_row(cleaned))
            for fault in read if not isinstance(read, Row) else ():
                self.add_error(fault.field if fault.field in self.fields else None, fault.detail)
        return cleaned

    def as_row(self, cleaned: dict[str, Any]) -> dict[str, Any]:
        """What was typed, as a row that comes in: of an article that exists only what was changed."""
        row = {"article_id": cleaned.get("article_id", self.instance.article_id), "title": cleaned["title"]}
        written = self.changed_data if self.instance.pk else WRITTEN
        return row | {name: cleaned[name] for name in WRITTEN if name in written}


class FileForm(forms.Form):
    file = forms.FileField(
        label=gettext_lazy("File"),
        help_text=gettext_lazy("JSONL (an object per line) or CSV (the first line names the columns)."),
    )
    replace = forms.BooleanField(
        label=gettext_lazy("Replace"),
        required=False,
        help_text=gettext_lazy("Empty the fields a row does not name, instead of keeping them."),
    )

    def clean_file(self) -> Any:
        """A file that is not too long and whose name tells its format."""
        file = self.cleaned_data["file"]
        if file.size > FILE_AT_MOST:
            raise ValidationError(
                _("The file has more than %(most)s MB.") % {"most": FILE_AT_MOST // 1_000_000}, code="too-long"
            )
        if Path(file.name).suffix.lower() not in FORMAT_OF:
            raise ValidationError(_("The name must end in .jsonl or .csv."), code="unknown-format")
        return file


@admin.register(Article)
class ArticleAdmin(OpsModelAdmin):
    form = ArticleForm
    list_display = (
        "title", "source", "region_mark", "sentiment_mark", "score", "review_mark", "published_at", "ingested_at",
    )  # fmt: skip
    list_filter = ("region", "sentiment")
    list_select_related = ("review",)
    sortable_by = ()
    ordering = ("-id",)
    search_fields = ("title",)  # shows the box; get_search_results asks the queryset
    search_help_text = gettext_lazy("The whole id, or from 3 characters on a part of the title.")
    download_fields = ("id", "article_id", *WRITTEN, "ingested_at", "updated_at")
    readonly_fields = ("review_mark", "ingested_at", "updated_at")
    change_list_template = "exports/articles.html"
    change_form_template = "exports/article.html"
    list_empty_text = gettext_lazy("Articles come in through the API, from a file, or by hand.")
    fieldsets = (
        (None, {"fields": ("article_id", "title", "summary", "content", "keywords")}),
        (gettext_lazy("Where it is printed"), {"fields": ("region", "sentiment", "section", "score", "importance")}),
        (gettext_lazy("Origin"), {"fields": ("source", "url", "published_at")}),
        (gettext_lazy("State"), {"fields": ("review_mark", "ingested_at", "updated_at")}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Article | None = None) -> Any:
        return self.readonly_fields if obj is None else ("article_id", *self.readonly_fields)

    def get_queryset(self, request: HttpRequest) -> Any:
        rows = super().get_queryset(request)
        shows_list = request.resolver_match is not None and str(request.resolver_match.url_name).endswith("changelist")
        return rows.defer("content", "summary") if shows_list else rows

    def get_search_results(self, request: HttpRequest, articles: Any, text: str) -> tuple[Any, bool]:
        if any(len(word) < SHORTEST_PART for word in text.split()):
            messages.info(request, _("Words of one or two characters were only searched for as whole ids."))
        return articles.search(text), False

    def page_context(self, article: Article) -> Context:
        return {"briefs": appearances([article.article_id]).get(article.article_id, [])}

    def has_delete_permission(self, request: HttpRequest, obj: Article | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, article: Article, form: ArticleForm, change: bool) -> None:
        before = Article.objects.filter(pk=article.pk).values(*WRITTEN).first() if change else None
        row = form.as_row(form.cleaned_data)
        done = ingest_articles([row], actor=request.user)
        if done.faults:  # the form has looked already, so the database has changed its mind
            raise ValidationError([fault.detail for fault in done.faults])
        saved = Article.objects.get(article_id=row["article_id"])
        article.pk, article._state.adding = saved.pk, False
        if change and done.updated:
            changed = [name for name in WRITTEN if before and before[name] != getattr(saved, name)]
            record(
                actor=request.user,
                action="article.changed",
                target=saved,
                before={name: before[name] for name in changed} if before else None,
                after={name: getattr(saved, name) for name in changed},
            )

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.import_view)
        return [path("import/", view, name="exports_article_import"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        link = reverse("admin:exports_article_import") if self.may_import(request) else ""
        return super().changelist_view(request, {"import_url": link, **(extra_context or {})})

    def may_import(self, request: HttpRequest) -> bool:
        """Who may add and change one may take in many."""
        return self.has_add_permission(request) and self.has_change_permission(request)

    def import_view(self, request: HttpRequest) -> HttpResponse:
        """Ask for a file, take it in, and say what became of each row."""
        if not self.may_import(request):
            raise PermissionDenied
        form = FileForm(request.POST, request.FILES) if request.method == "POST" else FileForm()
        faults: list[Fault] = []
        imported = None
        if request.method == "POST" and form.is_valid():
            try:
                imported = self._import(request, form, faults)
            except ValidationError as error:
                form.add_error("file", error)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Take a file in"),
            "opts": self.opts,
            "form": form,
            "media": self.media,
            "imported": imported,
            "faults": faults,
            "most": ROWS_AT_MOST,
        }
        status = 400 if form.is_bound and form.errors else 200
        return TemplateResponse(request, "exports/import_articles.html", context, status=status)

    def _import(self, request: HttpRequest, form: FileForm, faults: list[Fault]) -> Imported:
        def on_reject(line: Line, found: list[Fault]) -> None:
            faults.extend(found[: max(0, FAULTS_SHOWN - len(faults))])

        file = form.cleaned_data["file"]
        return import_articles(
            file.file,
            FORMAT_OF[Path(file.name).suffix.lower()],
            actor=request.user,
            replace_all=form.cleaned_data["replace"],
            on_reject=on_reject,
            rows_at_most=ROWS_AT_MOST,
        )

    @admin.display(description=gettext_lazy("region"))
    def region_mark(self, article: Article) -> SafeString:
        return badge(article.get_region_display(), REGION_TONES.get(article.region, "muted"))

    @admin.display(description=gettext_lazy("sentiment"))
    def sentiment_mark(self, article: Article) -> SafeString:
        return badge(article.get_sentiment_display(), SENTIMENT_TONES.get(article.sentiment, "muted"))

    @admin.display(description=gettext_lazy("review"))
    def review_mark(self, article: Article) -> SafeString | None:
        review = getattr(article, "review", None)
        return review and badge(review.get_status_display(), STATUS_TONES.get(review.status, "neutral"))
