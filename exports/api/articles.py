"""The route by which articles come in."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from api.idempotency import idempotent
from api.parsers import LongJSONParser
from api.views import OpsView
from exports.api import article_serializers as shapes
from exports.ingest import ingest_articles

BODY_AT_MOST = 20_000_000  # bytes: 5,000 articles of 4 kB


class ArticlesParser(LongJSONParser):
    """Of as many articles as one request may bring."""

    at_most = BODY_AT_MOST


class ArticlesView(OpsView):
    """Articles from the news pipeline."""

    permissions = {"post": "exports.add_article"}
    parser_classes = [ArticlesParser]

    @extend_schema(request=shapes.ArticlesSerializer, responses=shapes.IngestedSerializer)
    @idempotent
    def post(self, request: Request) -> Response:
        """Write up to 5,000 articles by their ids; faulty ones are left out and named in `errors`."""
        wish = shapes.ArticlesSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        given = wish.validated_data
        done = ingest_articles(given["articles"], actor=request.user, replace=given["replace"])
        faults = [
            {
                "row": fault.row,
                "pointer": fault.pointer,
                "code": fault.code,
                "detail": fault.detail,
                "article_id": fault.article_id,
            }
            for fault in done.faults
        ]
        facts = {"created": done.created, "updated": done.updated, "unchanged": done.unchanged, "errors": faults}
        return Response(shapes.IngestedSerializer(facts).data)
