"""The route by which articles come in."""

from __future__ import annotations

import io
from typing import IO, Any

from django.core.exceptions import RequestDataTooBig
from drf_spectacular.utils import extend_schema
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response

from api.idempotency import idempotent
from api.parsers import JSONParser
from api.views import OpsView
from exports.api import serializers as shapes
from exports.ingest import ingest_articles

BODY_AT_MOST = 20_000_000  # bytes: 5,000 articles of 4 kB


class LongJSONParser(BaseParser):
    """JSON as everywhere else, in a body that may be longer than other routes allow."""

    media_type = "application/json"

    def parse(self, stream: IO[Any], media_type: str | None = None, parser_context: Any = None) -> Any:
        """The data; no more than BODY_AT_MOST is ever read."""
        body = stream.read(BODY_AT_MOST + 1)
        if len(body) > BODY_AT_MOST:
            raise RequestDataTooBig
        return JSONParser().parse(io.BytesIO(body), media_type, parser_context)


class ArticlesView(OpsView):
    """Articles from the news pipeline."""

    permissions = {"post": "exports.add_article"}
    parser_classes = [LongJSONParser]

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
