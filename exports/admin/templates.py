"""How briefs look, and which numbers they bear."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from access.admin import Audited
from access.services import record
from desk.admin import OpsModelAdmin
from desk.badges import badge
from desk.object_actions import Context
from exports import printing
from exports.choices import Region, Sentiment
from exports.models import BriefTemplate, IssueCounter, TemplateSection

MAY_CHANGE = "exports.change_brieftemplate"

IN, OUT, GOOD, BAD = Region.INTERNAL, Region.EXTERNAL, Sentiment.POSITIVE, Sentiment.NEGATIVE
# two of each bucket, in both languages, some without a source
_SAMPLES = [
    (IN, GOOD, "市教委公布秋季学期校历", "新学期将于九月一日开始，寒假自一月中旬起。", "示例日报"),
    (IN, GOOD, "Twelve schools open new libraries", "They are open to families on weekends.", ""),
    (IN, BAD, "家长反映校车班次不足", "有家长反映，部分线路早高峰运力紧张。", "示例晚报"),
    (IN, BAD, "Lift at primary school out of order", "Repairs are expected to take two weeks.", "The Sample"),
    (OUT, GOOD, "外省试点课后服务新模式", "当地把课后服务交给社区统一安排。", "示例网"),
    (OUT, GOOD, "University shares course material", "All lectures of the first year can be read freely.", ""),
    (OUT, BAD, "某地考试系统故障致报名延期", "主办方称将顺延三天。", "示例时报"),
    (OUT, BAD, "Heating fails in a dozen classrooms", "Lessons moved to the sports hall.", "The Sample"),
]
SAMPLE_STORIES = tuple(
    printing.Story(
        article_id=f"sample-{number}",
        title=title,
        summary=summary,
        source=source,
        url="https://example.org/story",
        published_at=datetime(2026, 1, 5, 9, 30, tzinfo=UTC),
        score=Decimal(95 - number),
        importance=Decimal(50),
        region=region,
        sentiment=sentiment,
        keywords=("教育", "schools"),
        rank=float(number),
    )
    for number, (region, sentiment, title, summary, source) in enumerate(_SAMPLES, start=1)
)


class TemplateForm(forms.ModelForm):
    class Meta:
        model = BriefTemplate
        fields = (
            "slug", "title", "header", "section_heading", "entry", "cluster_separator", "is_markdown",
            "is_numbered", "issues_per_day",
        )  # fmt: skip
        widgets: ClassVar = {
            "header": forms.Textarea(attrs={"rows": 4, "class": "vLargeTextField"}),
            "section_heading": forms.Textarea(attrs={"rows": 1, "class": "vLargeTextField"}),
            "entry": forms.Textarea(attrs={"rows": 4, "class": "vLargeTextField"}),
            "cluster_separator": forms.TextInput(attrs={"class": "vTextField"}),
        }

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for name in ("header", "section_heading", "entry", "cluster_separator"):
            if name in cleaned:  # a browser ends the lines of a text field in its own way
                cleaned[name] = cleaned[name].replace("\r\n", "\n")
        try:
            printing.check_layout(
                header=cleaned.get("header", ""),
                section_heading=cleaned.get("section_heading", ""),
                entry=cleaned.get("entry", ""),
                is_numbered=cleaned.get("is_numbered", False),
            )
        except ValidationError as error:
            for name, faults in error.message_dict.items():
                self.add_error(name, faults)
        return cleaned


class SectionInline(admin.TabularInline):
    """Who may change a template may change its sections: they have no permissions of their own."""

    model = TemplateSection
    extra = 0
    fields = ("position", "section", "region", "sentiment", "heading", "marker", "numbering")
    ordering = ("position", "id")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("exports.view_brieftemplate")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(MAY_CHANGE) or request.user.has_perm("exports.add_brieftemplate")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_add_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_add_permission(request)


@admin.register(BriefTemplate)
class BriefTemplateAdmin(Audited, OpsModelAdmin):
    noun = "template"
    form = TemplateForm
    inlines = (SectionInline,)
    list_display = ("slug", "title", "section_count", "kinds", "updated_at")
    ordering = ("slug",)
    sortable_by = ()
    change_form_template = "exports/template.html"
    list_empty_text = gettext_lazy("Add one: without a template nothing can be printed.")
    fieldsets = (
        (None, {"fields": ("slug", "title")}),
        (gettext_lazy("Text"), {"fields": ("header", "section_heading", "entry", "cluster_separator", "is_markdown")}),
        (gettext_lazy("Issue numbers"), {"fields": ("is_numbered", "issues_per_day")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[BriefTemplate]:
        return super().get_queryset(request).annotate(sections_count=Count("sections"))

    def save_model(self, request: HttpRequest, obj: BriefTemplate, form: Any, change: bool) -> None:
        if change:
            obj.updated_at = timezone.now()
        super().save_model(request, obj, form, change)

    def page_context(self, template: BriefTemplate) -> Context:
        return {"printed": sample_of(template)}

    @admin.display(description=gettext_lazy("sections"))
    def section_count(self, template: Any) -> int:
        return template.sections_count

    @admin.display(description=gettext_lazy("kind"))
    def kinds(self, template: BriefTemplate) -> SafeString:
        found = [badge(_("Markdown"), "info")] if template.is_markdown else []
        found += [badge(_("numbered"), "neutral")] if template.is_numbered else []
        return SafeString(" ".join(found)) or SafeString("—")


def sample_of(template: BriefTemplate) -> printing.Printed:
    """The template with sample stories in every section, as it is stored."""
    return printing.print_brief(
        printing.layout_of(template),
        SAMPLE_STORIES,
        tag=timezone.localdate().isoformat(),
        date=timezone.localdate(),
        numbers={"period": 5, "total_period": 105},
    )


class CounterForm(forms.ModelForm):
    template = forms.ChoiceField(label=gettext_lazy("Template"))

    class Meta:
        model = IssueCounter
        fields = ("template", "report_date", "period", "total_period")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "template" in self.fields:
            numbered = BriefTemplate.objects.filter(is_numbered=True).values_list("slug", "title")
            choices = dict(numbered)
            if self.instance.template:  # of a template that is gone
                choices.setdefault(self.instance.template, self.instance.template)
            self.fields["template"].choices = list(choices.items())


@admin.register(IssueCounter)
class IssueCounterAdmin(Audited, OpsModelAdmin):
    """The numbers of issues that were exported: the next ones go on from the newest."""

    noun = "issue-numbers"
    form = CounterForm
    list_display = ("template", "report_date", "period", "total_period", "updated_at")
    list_filter = ("template",)
    ordering = ("-report_date", "template")
    sortable_by = ()
    list_empty_text = gettext_lazy("The first issue of a template is number 1; add a row to begin elsewhere.")

    def save_model(self, request: HttpRequest, obj: IssueCounter, form: Any, change: bool) -> None:
        form.was = IssueCounter.objects.get(pk=obj.pk).as_fields() if change else None
        obj.updated_at = timezone.now()
        super().save_model(request, obj, form, change)
        verb = "changed" if change else "added"
        after = {"template": obj.template, "date": obj.report_date, **obj.as_fields()}
        record(actor=request.user, action=f"{self.noun}.{verb}", target=obj, before=form.was, after=after)

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        # on record already, with the numbers
        return admin.ModelAdmin.log_addition(self, request, obj, message)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return admin.ModelAdmin.log_change(self, request, obj, message)
