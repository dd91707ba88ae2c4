"""Lists of documents by page, or by limit and offset as an older console asks for them."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from api.pagination import MAX_SIZE, EnvelopePagination, parameter
from api.parameters import positive, refused, whole

MOST_OFFSET = 2**31


class WindowPagination(EnvelopePagination):
    """`?page=&pageSize=` or `?limit=&offset=`; the answer has all four. With an offset between pages, `page` is the
    one that it falls into."""

    parameters = ("page", "pageSize", "limit", "offset")

    def window(self, request: Request) -> tuple[int, int]:
        """Of the one spelling or the other."""
        by_limit = [name for name in ("limit", "offset") if name in request.query_params]
        if not by_limit:
            self.offset, size = super().window(request)
            return self.offset, size
        for name in ("page", "pageSize"):
            if name in request.query_params:
                raise refused(name, _("Pages, and limit with offset, exclude each other."))
        size = min(positive(request, "limit", default=MAX_SIZE // 2, most=None), MAX_SIZE)
        self.offset = whole(request, "offset", default=0, least=0, most=MOST_OFFSET)
        self.page = self.offset // size + 1
        return self.offset, size

    def get_paginated_response(self, data: Any) -> Response:
        response = super().get_paginated_response(data)
        response.data |= {"limit": self.size, "offset": self.offset}
        return response

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        envelope = super().get_paginated_response_schema(schema)
        for name, least in (("limit", 1), ("offset", 0)):
            envelope["properties"][name] = {"type": "integer", "minimum": least}
            envelope["required"].append(name)
        return envelope

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        offset = {"type": "integer", "minimum": 0, "maximum": MOST_OFFSET, "default": 0}
        return [
            *super().get_schema_operation_parameters(view),
            parameter("limit", {"type": "integer", "minimum": 1, "default": MAX_SIZE // 2}, "Instead of pageSize."),
            parameter("offset", offset, "Instead of page."),
        ]
