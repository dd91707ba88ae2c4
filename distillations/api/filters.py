"""Query parameters of the lists."""

import django_filters
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from api.filters import BooleanFilter, FilterSet, WholeNumberFilter
from distillations.choices import Provider
from distillations.models import ArticleSetting, ConversionTarget, DistillationRun, KnowledgeBase, KnowledgeDocument
from distillations.querysets import DistillationQuerySet

USAGE = (("all", _("All")), ("used", _("Used")), ("unused", _("Never used")))
SORTS = (("usage_count", _("Uses")), ("created_at", _("Age")))
ORDERS = (("asc", _("Ascending")), ("desc", _("Descending")))


class DistillationFilter(FilterSet):
    """Filters and order of the statistics."""

    filter_usage = django_filters.ChoiceFilter(choices=USAGE, method="with_usage", label="Default: all.")
    sort_by = django_filters.ChoiceFilter(choices=SORTS, method="as_sorted", label="Default: usage_count.")
    sort_order = django_filters.ChoiceFilter(choices=ORDERS, method="as_sorted", label="Default: asc.")
    search = django_filters.CharFilter(
        method="with_text", label="The beginning of the keyword, or (from 3 characters on) a part of it."
    )
    provider = django_filters.ChoiceFilter(choices=Provider.choices)
    has_topics = BooleanFilter(method="with_topics")
    usage_count_max = WholeNumberFilter("usage_count", lookup_expr="lte")

    def filter_queryset(self, queryset: QuerySet) -> QuerySet:
        """What is asked for, in the order that is asked for."""
        found: DistillationQuerySet = super().filter_queryset(queryset)
        wish = self.form.cleaned_data
        return found.sorted_by(wish["sortBy"] or "usage_count", descending=wish["sortOrder"] == "desc")

    def as_sorted(self, rows: QuerySet, name: str, value: str) -> QuerySet:
        """Done once for both, by filter_queryset()."""
        return rows

    def with_usage(self, rows: DistillationQuerySet, name: str, value: str) -> QuerySet:
        """Used ones, never used ones or all."""
        return {"used": rows.used, "unused": rows.unused}.get(value, rows.all)()

    def with_text(self, rows: DistillationQuerySet, name: str, value: str) -> QuerySet:
        """Keywords that begin with it or have it in them."""
        return rows.search(value)

    def with_topics(self, rows: DistillationQuerySet, name: str, value: bool) -> QuerySet:
        """Those an article can be made from, or those without a topic."""
        return rows.eligible() if value else rows.bare()


class DistillationRunFilter(FilterSet):
    """Filters of the runs."""

    class Meta:
        model = DistillationRun
        fields = ("status",)


class _NameFilter(FilterSet):
    """`?search=`: a part of the name, in either case. These tables are small."""

    search = django_filters.CharFilter("name", lookup_expr="icontains", label="A part of the name.")


class ConversionTargetFilter(_NameFilter):
    """Filters of the targets."""

    search = django_filters.CharFilter("company_name", lookup_expr="icontains", label="A part of the name.")

    class Meta:
        model = ConversionTarget
        fields = ("industry",)


class ArticleSettingFilter(_NameFilter):
    """Filters of the settings."""

    class Meta:
        model = ArticleSetting
        fields = ()


class KnowledgeBaseFilter(_NameFilter):
    """Filters of the knowledge bases."""

    class Meta:
        model = KnowledgeBase
        fields = ()


class KnowledgeDocumentFilter(_NameFilter):
    """Filters of the documents of a knowledge base."""

    search = django_filters.CharFilter("title", lookup_expr="icontains", label="A part of the title.")

    class Meta:
        model = KnowledgeDocument
        fields = ()
