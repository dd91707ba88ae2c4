"""Export runs as programs see them: ask for one, watch it, cancel it."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.filters import FilterSet
from api.idempotency import idempotent
from api.serializers import JSONField, Serializer
from exports import archive, services
from exports.choices import SkipScope
from exports.funnel import MOST_ARTICLES
from exports.models import ExportRun
from exports.services import ExportOptions
from runs.api import RUN_FIELDS, RunSerializer, RunViewSet


class ExportRequestSerializer(Serializer):
    """A wish for a brief of the worker; what is left out has the default of the command."""

    report_tag = serializers.CharField(default="", allow_blank=True, help_text="Without one it is the date.")
    date = serializers.DateField(
        default=None,
        allow_null=True,
        help_text="Without one it is that of the tag, else today in local time.",
    )
    limit = serializers.IntegerField(
        min_value=1, max_value=MOST_ARTICLES, default=None, allow_null=True, help_text="Articles at most."
    )
    min_score = serializers.DecimalField(max_digits=6, decimal_places=3, default=ExportOptions.min_score)
    template = serializers.CharField(max_length=50, default=ExportOptions.template)
    skip_exported = serializers.BooleanField(
        default=True, help_text="Without it only what this brief has already is left out."
    )
    skip_scope = serializers.ChoiceField(
        SkipScope.choices, default=SkipScope.ALL, help_text="Which earlier briefs count: every one or the worker's."
    )
    dry_run = serializers.BooleanField(default=False, help_text="Only the run's own row is written.")

    def as_options(self) -> ExportOptions:
        """The validated wish in the service's words."""
        wish = dict(self.validated_data)
        scope = SkipScope(wish.pop("skip_scope"))
        return ExportOptions(report_date=wish.pop("date"), skip_scope=scope, **wish)


class ExportRunSerializer(RunSerializer):
    """A run of either line. `content` is the whole text that it made."""

    date = serializers.DateField(source="report_date", read_only=True)
    batch_id = serializers.SerializerMethodField(help_text="The table and the id there, as in brief-12.")
    funnel = JSONField(read_only=True, help_text="How candidates became a brief, and what was left out why.")
    payload = JSONField(read_only=True)
    not_printed = JSONField(read_only=True)
    skipped_duplicates = JSONField(read_only=True)

    class Meta:
        model = ExportRun
        fields = (
            *RUN_FIELDS, "kind", "report_tag", "date", "template", "dry_run", "limit", "min_score", "skip_exported",
            "skip_scope", "mark_exported", "output_path", "printed", "recorded", "batch_id", "sha256", "funnel",
            "payload", "not_printed", "skipped_duplicates", "content",
        )  # fmt: skip
        read_only_fields = fields

    def get_batch_id(self, run: ExportRun) -> str | None:
        """The brief that it went to, as GET batches names it; null for a dry run and for one that found nothing."""
        return archive.key_of_run(run)


class ExportRunListSerializer(ExportRunSerializer):
    """A run in a list: without its text and what else may be long."""

    class Meta(ExportRunSerializer.Meta):
        fields = tuple(
            name
            for name in ExportRunSerializer.Meta.fields
            if name not in ("content", "payload", "not_printed", "skipped_duplicates")
        )
        read_only_fields = fields


class ExportRunFilter(FilterSet):
    """Filters of the runs."""

    class Meta:
        model = ExportRun
        fields = ("status", "kind", "report_tag", "dry_run")


class ExportRunViewSet(RunViewSet):
    """Runs of both lines; only the worker's are asked for here."""

    queryset = ExportRun.objects.with_stalled().select_related("requested_by").order_by("-id")
    serializer_class = ExportRunSerializer
    filterset_class = ExportRunFilter
    permissions = {
        "list": "exports.view_exportrun",
        "retrieve": "exports.view_exportrun",
        "create": "exports.run_export",
        "cancel": "exports.run_export",
    }

    def get_queryset(self) -> Any:
        runs = super().get_queryset()
        return runs.defer("content", "payload", "not_printed", "skipped_duplicates") if self.action == "list" else runs

    def get_serializer_class(self) -> type[ExportRunSerializer]:
        return ExportRunListSerializer if self.action == "list" else ExportRunSerializer

    @extend_schema(request=ExportRequestSerializer, responses={202: ExportRunSerializer})
    @idempotent
    def create(self, request: Request) -> Response:
        """Ask for a brief of the worker; 409 `tag-has-other-date` where the tag belongs to another date."""
        wish = ExportRequestSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        run = services.request_export(wish.as_options(), actor=request.user, requested_by=request.user)
        return self.accepted(run)
