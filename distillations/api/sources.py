"""Routes of distillations: statistics, lists for forms, what people do with them."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api.conditional import ConditionalRetrieve
from api.idempotency import idempotent
from api.pagination import MAX_PAGE, MAX_SIZE, page_size
from api.parameters import flag, positive
from api.throttles import ResetAll
from api.views import OpsViewSet
from distillations import keywords, usage
from distillations.api import serializers as shapes
from distillations.api.filters import DistillationFilter
from distillations.api.found import no_such_distillation
from distillations.models import Distillation
from distillations.querysets import RECOMMENDED

VIEW, CHANGE, DELETE = (f"distillations.{verb}_distillation" for verb in ("view", "change", "delete"))
MOST_RECOMMENDED = 100
HISTORY_SIZE = 50
KEYWORDS_AT_MOST = 1_000
DETAILS_AT_MOST = 1_000

_LIMIT = OpenApiParameter(
    "limit", {"type": "integer", "minimum": 1, "maximum": MOST_RECOMMENDED, "default": RECOMMENDED}
)
_PAGE = [
    OpenApiParameter("page", {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": 1}),
    OpenApiParameter(
        "pageSize", {"type": "integer", "minimum": 1, "default": HISTORY_SIZE}, description=f"At most {MAX_SIZE}."
    ),
]
_SEARCH = OpenApiParameter("search", str, description="As in the statistics.")
_DRY_RUN = OpenApiParameter("dryRun", bool, description="Only say what would be put right.")


class DistillationViewSet(ConditionalRetrieve, OpsViewSet):
    """Keywords with their topics and how often articles were made from them."""

    queryset = Distillation.objects.all()
    serializer_class = shapes.DistillationSerializer
    filterset_class = DistillationFilter
    plural = "distillations"
    list_actions = frozenset({"stats"})
    version_field = None  # recommendation and last use change without the row
    permissions = {
        "stats": VIEW,
        "retrieve": VIEW,
        "recommended": VIEW,
        "history": VIEW,
        "keywords": VIEW,
        "manual": "distillations.add_distillation",
        "partial_update": CHANGE,
        "destroy": DELETE,
        "batch_delete": DELETE,
        "reset_usage": "distillations.reset_usage",
        "reset_all_usage": "distillations.reset_usage",
        "repair_usage_stats": "distillations.repair_usage",
    }
    throttles = {"reset_all_usage": ResetAll}
    extra_query_params = {
        "recommended": ("limit",),
        "history": ("page", "pageSize"),
        "keywords": ("search",),
        "repair_usage_stats": ("dryRun",),
    }

    def get_object(self) -> Any:
        """The one in the path, with_stats(). Raises a 404 in the document's words."""
        try:
            found = super().get_object()
        except Http404 as error:
            raise no_such_distillation() from error
        return self._shown(found.pk)

    # --- Reading ---

    @extend_schema(filters=True, responses=shapes.DistillationSerializer(many=True))
    @action(detail=False)
    def stats(self, request: Request) -> Response:
        """Distillations with how often they were used: least used first unless asked otherwise."""
        rows = self.filter_queryset(self.get_queryset()).values_list("pk", flat=True)
        ids = self.paginate_queryset(rows) or []
        shown = Distillation.objects.stats_of(list(ids))
        return self.get_paginated_response(self.get_serializer(shown, many=True).data)

    @extend_schema(parameters=[_LIMIT], responses=shapes.RecommendedSerializer(many=True), filters=False)
    @action(detail=False, pagination_class=None)
    def recommended(self, request: Request) -> Response:
        """The least used ones that have topics, as they are now."""
        limit = positive(request, "limit", default=RECOMMENDED, most=MOST_RECOMMENDED)
        rows = Distillation.objects.recommended()[:limit]
        return Response(shapes.RecommendedSerializer(rows, many=True).data)

    @extend_schema(parameters=_PAGE, responses=shapes.HistoryRowSerializer(many=True), filters=False)
    @action(detail=False, pagination_class=None)
    def history(self, request: Request) -> Response:
        """Distillations, newest first, in snake_case and without an envelope."""
        page = positive(request, "page", default=1, most=MAX_PAGE)
        size = page_size(request, default=HISTORY_SIZE)
        rows = Distillation.objects.newest_first()[(page - 1) * size : page * size]
        return Response(shapes.HistoryRowSerializer(rows, many=True).data)

    @extend_schema(parameters=[_SEARCH], responses=shapes.KeywordsSerializer)
    @action(detail=False)
    def keywords(self, request: Request) -> Response:
        """The keywords of the newest 1,000 distillations that fit, each once."""
        text = request.query_params.get("search")
        rows = Distillation.objects.search(text) if text else Distillation.objects.all()
        found = list(rows.newest_first().values_list("keyword", flat=True)[: KEYWORDS_AT_MOST + 1])
        facts = {"keywords": list(dict.fromkeys(found[:KEYWORDS_AT_MOST])), "more": len(found) > KEYWORDS_AT_MOST}
        return Response(shapes.KeywordsSerializer(facts).data)

    # --- Writing ---

    @extend_schema(request=shapes.ManualSerializer, responses={201: shapes.DistillationSerializer})
    @action(detail=False, methods=["post"])
    @idempotent
    def manual(self, request: Request) -> Response:
        """Store a keyword with questions of one's own."""
        wish = shapes.ManualSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        made = keywords.distil_by_hand(**wish.validated_data, actor=request.user)
        location = f"{request.path.removesuffix('/manual')}/{made.pk}"
        return Response(self.get_serializer(self._shown(made.pk)).data, status=201, headers={"Location": location})

    @extend_schema(request=shapes.RenameSerializer)
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Give it another keyword; articles and ended tasks keep the old one."""
        wish = shapes.RenameSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        try:
            renamed = keywords.rename_keyword(self.get_object(), **wish.validated_data, actor=request.user)
        except Distillation.DoesNotExist as error:
            raise no_such_distillation() from error
        return Response(self.get_serializer(self._shown(renamed.pk)).data)

    @extend_schema(responses={200: shapes.DoneSerializer})
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Delete it with its topics and uses; articles and tasks stay and keep the keyword."""
        if not keywords.delete_distillations([self.get_object().pk], actor=request.user):
            raise no_such_distillation()
        return Response(shapes.DoneSerializer(_done(_("The distillation was deleted."))).data)

    @extend_schema(request=shapes.DistillationIdsSerializer, responses=shapes.DeletedSerializer)
    @action(detail=False, methods=["post"], url_path="batch-delete")
    def batch_delete(self, request: Request) -> Response:
        """Delete up to 1,000 of them in one transaction; `missingIds` were not there."""
        wish = shapes.DistillationIdsSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        asked = list(dict.fromkeys(wish.validated_data["distillation_ids"]))
        deleted = keywords.delete_distillations(asked, actor=request.user)
        message = ngettext("%(count)s distillation was deleted.", "%(count)s distillations were deleted.", len(deleted))
        facts = {
            **_done(message % {"count": len(deleted)}),
            "deleted_count": len(deleted),
            "deleted_ids": deleted,
            "missing_ids": sorted(set(asked) - set(deleted)),
        }
        return Response(shapes.DeletedSerializer(facts).data)

    # --- Counters ---

    @extend_schema(request=None, responses=shapes.ResetSerializer)
    @action(detail=True, methods=["post"], url_path="reset-usage")
    def reset_usage(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Forget every use of it; its articles stay."""
        found = self.get_object()
        forgotten = usage.reset_usage(found, actor=request.user)
        facts = {"previous_count": found.usage_count, "deleted_records": forgotten}
        return Response(shapes.ResetSerializer(_done(_("The usage statistics were reset.")) | facts).data)

    @extend_schema(request=shapes.ResetAllSerializer, responses=shapes.AllResetSerializer)
    @action(detail=False, methods=["post"], url_path="reset-all-usage")
    def reset_all_usage(self, request: Request) -> Response:
        """Forget every use of every distillation; articles stay. 409 `uses-changed`."""
        wish = shapes.ResetAllSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        affected = Distillation.objects.count()
        forgotten = usage.reset_all_usage(**wish.validated_data, actor=request.user)
        message = ngettext("%(count)s distillation was reset.", "%(count)s distillations were reset.", affected)
        facts = {"affected": affected, "deleted_records": forgotten}
        return Response(shapes.AllResetSerializer(_done(message % {"count": affected}) | facts).data)

    @extend_schema(request=None, parameters=[_DRY_RUN], responses=shapes.RepairedSerializer)
    @action(detail=False, methods=["post"], url_path="repair-usage-stats")
    def repair_usage_stats(self, request: Request) -> Response:
        """Set every counter that differs from its rows to their number."""
        dry_run = flag(request, "dryRun")
        checked = Distillation.objects.count()
        repair = usage.repair_usage(actor=request.user, dry_run=dry_run)
        details = [each for each in repair.drifts if each.counter == "usage_count"]
        facts = {
            "fixed": len(details),
            "other_counters": len(repair.drifts) - len(details),
            "errors": repair.errors,
            "details": details[:DETAILS_AT_MOST],
            "dry_run": dry_run,
            "checked": checked,
        }
        return Response(shapes.RepairedSerializer(facts).data)

    def _shown(self, pk: int) -> Distillation:
        """The row as it is answered. Raises a 404 when it went away."""
        for row in Distillation.objects.stats_of([pk]):
            return row  # type: ignore[no-any-return]
        raise no_such_distillation()


def _done(message: str) -> dict[str, Any]:
    return {"success": True, "message": message}
