"""Two ways to read the change log: by page to look at it, by cursor to follow it."""

from typing import Any

from django.utils.translation import gettext as _
from rest_framework.exceptions import ErrorDetail
from rest_framework.request import Request
from rest_framework.response import Response

from api.pagination import EnvelopePagination, page_size
from api.problems import ParameterError
from etl.products import feed
from etl.products.cursors import BEGIN, END


class FeedPagination(EnvelopePagination):
    """With `?cursor=` the change feed: oldest first, `total` and `page` null, `nextCursor` never null."""

    parameters = ("page", "pageSize", "cursor")
    may_be_empty = ("cursor",)  # where the feed begins

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        self.feed_page: feed.Page | None = None
        given = request.query_params.getlist("cursor")
        if not given:
            return super().paginate_queryset(queryset, request, view)
        _refuse_beside_cursor(request, given)
        self.plural = getattr(view, "plural", self.plural)
        self.page, self.total, self.size = None, None, page_size(request)
        self.feed_page = feed.read(given[0], size=self.size, changes=queryset)
        return self.feed_page.changes

    def get_paginated_response(self, data: Any) -> Response:
        response = super().get_paginated_response(data)
        response.data["nextCursor"] = self.feed_page and self.feed_page.cursor
        response.data["more"] = self.feed_page and self.feed_page.more
        return response

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        envelope = super().get_paginated_response_schema(schema)
        for name in ("total", "page"):
            envelope["properties"][name] = {"type": ["integer", "null"]}
        envelope["properties"]["nextCursor"] = {"type": ["string", "null"]}
        envelope["properties"]["more"] = {"type": ["boolean", "null"]}
        envelope["required"] += ["nextCursor", "more"]
        return envelope

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        note = (
            f"Follows the change feed: every change once, those of a product in order. {BEGIN} (or empty) starts at "
            f"the oldest change kept, {END} behind the newest; then nextCursor of the answer before, with the same "
            "filters. Excludes page and before."
        )
        cursor = {"name": "cursor", "in": "query", "required": False, "schema": {"type": "string"}, "description": note}
        return [*super().get_schema_operation_parameters(view), cursor]


def _refuse_beside_cursor(request: Request, given: list[str]) -> None:
    if len(given) > 1:
        raise ParameterError({"cursor": [ErrorDetail(_("Give it only once."), code="invalid")]})
    for name in ("page", "before"):
        if name in request.query_params:
            message = _("A page and a cursor exclude each other.")
            raise ParameterError({name: [ErrorDetail(message, code="invalid")]})
