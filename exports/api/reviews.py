"""Routes of the editors' console: lists of reviews, decisions, and the export by hand."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api.idempotency import idempotent
from api.views import OpsViewSet
from exports import briefs, review_lists, reviewing
from exports.api import asking
from exports.api import export_serializers as brief_shapes
from exports.api import review_serializers as shapes
from exports.choices import RANKED, Region, ReviewStatus, Sentiment
from exports.models import ManualReview
from exports.review_lists import ReviewList

VIEW, DECIDE, EXPORT = "exports.view_manualreview", "exports.decide_manualreview", "exports.export_brief"


class ManualFilterViewSet(OpsViewSet):
    """Reviews of articles, under the routes the console has always asked for."""

    queryset = ManualReview.objects.none()
    serializer_class = shapes.ReviewItemSerializer
    permissions = {
        "candidates": VIEW,
        "review": VIEW,
        "discarded": VIEW,
        "stats": VIEW,
        "decide": DECIDE,
        "order": DECIDE,
        "edit": DECIDE,
        "restore": DECIDE,
        "export": EXPORT,
    }
    extra_query_params = {
        "candidates": asking.spellings(
            *asking.PAGE, "region", "sentiment", "cluster", "cluster_threshold", "force_refresh"
        ),
        "review": asking.spellings(*asking.PAGE, "decision"),
        "discarded": asking.spellings(*asking.PAGE),
    }

    @extend_schema(
        parameters=[
            *asking.PAGE_PARAMETERS,
            asking.described("region", {"type": "string", "enum": Region.values}),
            asking.described("sentiment", {"type": "string", "enum": Sentiment.values}),
            asking.described(
                "cluster", {"type": "boolean", "default": False}, "Pages of clusters instead of articles."
            ),
            asking.described("cluster_threshold", {"type": "number", "minimum": 0, "maximum": 1}, "Has no effect."),
            asking.described("force_refresh", {"type": "boolean"}, "Has no effect: nothing is ever stale."),
        ],
        responses=shapes.CandidatePageSerializer,
    )
    @action(detail=False)
    def candidates(self, request: Request) -> Response:
        """Articles nobody has decided about; with `cluster=true` by story."""
        shown = ReviewList(
            ReviewStatus.PENDING,
            region=asking.one_of(request, "region", Region.values),
            sentiment=asking.one_of(request, "sentiment", Sentiment.values),
        )
        asking.share(request, "cluster_threshold")
        asking.flag(request, "force_refresh")
        if asking.flag(request, "cluster"):
            return self._clusters(request, shown)
        return self._page(request, shown)

    @extend_schema(
        parameters=[
            *asking.PAGE_PARAMETERS,
            asking.described("decision", {"type": "string", "enum": [str(each) for each in RANKED],
                                          "default": str(ReviewStatus.SELECTED)}),
        ],
        responses=shapes.ReviewPageSerializer,
    )  # fmt: skip
    @action(detail=False)
    def review(self, request: Request) -> Response:
        """One of the lists an editor picks into, in the order it is printed in."""
        decision = asking.one_of(request, "decision", map(str, RANKED), default=ReviewStatus.SELECTED)
        return self._page(request, ReviewList(str(decision)))

    @extend_schema(parameters=asking.PAGE_PARAMETERS, responses=shapes.ReviewPageSerializer)
    @action(detail=False)
    def discarded(self, request: Request) -> Response:
        """What was discarded."""
        return self._page(request, ReviewList(ReviewStatus.DISCARDED))

    @extend_schema(responses=shapes.StatsSerializer)
    @action(detail=False)
    def stats(self, request: Request) -> Response:
        """How many reviews each status has."""
        counts = review_lists.counts()
        estimated = [status for status, count in counts.items() if not count.is_exact]
        return Response({**{status: int(count) for status, count in counts.items()}, "estimated": estimated})

    @extend_schema(request=shapes.DecideSerializer, responses=shapes.DecidedSerializer)
    @action(detail=False, methods=["post"])
    @idempotent
    def decide(self, request: Request) -> Response:
        """Select, back up, discard, or make pending again; all of it or nothing. 409 `stale-version`."""
        wish = self._wish(shapes.DecideSerializer, request)
        made = reviewing.decide(
            selected=wish["selected_ids"],
            backup=wish["backup_ids"],
            discarded=wish["discarded_ids"],
            pending=wish["pending_ids"],
            versions=wish["versions"],
            actor=request.user,
            note_actor=wish["actor"],
        )
        return Response(shapes.DecidedSerializer({**made.counts, "updated_rows": made.updated}).data)

    @extend_schema(request=shapes.OrderSerializer, responses=shapes.OrderedSerializer)
    @action(detail=False, methods=["post"])
    @idempotent
    def order(self, request: Request) -> Response:
        """Put the selected and the backup in order; being in a list makes an article one of it."""
        wish = self._wish(shapes.OrderSerializer, request)
        made = reviewing.put_in_order(
            selected=wish["selected_order"],
            backup=wish["backup_order"],
            versions=wish["versions"],
            actor=request.user,
            note_actor=wish["actor"],
        )
        return Response(shapes.OrderedSerializer({**made.counts, "updated_rows": made.updated}).data)

    @extend_schema(request=shapes.EditsSerializer, responses=shapes.EditedSerializer)
    @action(detail=False, methods=["post"])
    @idempotent
    def edit(self, request: Request) -> Response:
        """Write summaries, sources, notes and scores; all of them or none. 409 `stale-version`."""
        wish = shapes.EditsSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        made = reviewing.edit(wish.as_edits(), actor=request.user, note_actor=wish.validated_data["actor"])
        return Response(shapes.EditedSerializer({"updated": made.updated}).data)

    @extend_schema(request=shapes.RestoreSerializer, responses=shapes.RestoredSerializer)
    @action(detail=False, methods=["post"])
    @idempotent
    def restore(self, request: Request) -> Response:
        """Make exported articles pending again; the briefs that have them keep them."""
        wish = self._wish(shapes.RestoreSerializer, request)
        made = reviewing.restore(wish["ids"], versions=wish["versions"], actor=request.user)
        return Response(shapes.RestoredSerializer({"restored": made.updated}).data)

    @extend_schema(request=brief_shapes.ExportSerializer, responses=brief_shapes.ExportedSerializer)
    @action(detail=False, methods=["post"])
    @idempotent
    def export(self, request: Request) -> Response:
        """Print what is selected, record it and mark it exported; with `dryRun` only print it."""
        wish = dict(self._wish(brief_shapes.ExportSerializer, request))
        dry_run = wish.pop("dry_run")
        del wish["actor"]
        options = briefs.BriefOptions(**wish | {"output_path": wish["output_path"] or ""})
        brief = briefs.preview_by_hand(options) if dry_run else briefs.export_by_hand(options, actor=request.user)
        return Response(brief_shapes.ExportedSerializer(brief_shapes.exported(brief, dry_run=dry_run)).data)

    def _wish(self, shape: Any, request: Request) -> dict[str, Any]:
        wish = shape(data=request.data)
        wish.is_valid(raise_exception=True)
        return wish.validated_data  # type: ignore[no-any-return]

    def _page(self, request: Request, shown: ReviewList) -> Response:
        limit, offset = asking.page_of(request)
        rows, total = shown.page(offset, limit)
        items = shapes.ReviewItemSerializer(rows, many=True).data
        return Response(asking.page(items, total, limit=limit, offset=offset))

    def _clusters(self, request: Request, shown: ReviewList) -> Response:
        limit, offset = asking.page_of(request)
        groups = review_lists.clusters(shown)
        wanted = groups[offset : offset + limit]
        rows = review_lists.with_articles([each for group in wanted for each in group.ids])
        items = dict(
            zip((row.article_id for row in rows), shapes.ReviewItemSerializer(rows, many=True).data, strict=True)
        )
        found = []
        for group in wanted:
            members = [items[each] for each in group.ids if each in items]
            if members:
                found.append(
                    {
                        "clusterId": group.cluster_id,
                        "region": group.region,
                        "sentiment": group.sentiment,
                        "size": len(members),
                        "representative": members[0],
                        "items": members,
                    }
                )
        body = asking.page(found, shown.total(), limit=limit, offset=offset, name="clusters")
        counted = {"totalClusters": len(groups), "clustered": sum(len(group.ids) for group in groups)}
        return Response(body | counted)
