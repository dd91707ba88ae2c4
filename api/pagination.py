"""Lists in an envelope: {"<plural>": […], "total": n, "page": p, "pageSize": s}.

This module is named in settings and must import no views: DRF imports it while they are being made.
"""

import hashlib
from typing import Any

from django.core.cache import cache
from django.core.exceptions import EmptyResultSet
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response

from api.bounded import Count, count_of
from api.parameters import positive, refused
from api.shared_cache import ask

DEFAULT_SIZE, MAX_SIZE = 10, 100
MAX_PAGE = 10_000_000  # beyond any table; keeps the offset inside a bigint
_TOTAL_LIVES = 5  # seconds; a total informs, it never guards an action


class EnvelopePagination(BasePagination):
    """`?page=1&pageSize=10`; the view names its list in `plural`. Past the end is an empty list."""

    parameters: tuple[str, ...] = ("page", "pageSize")
    plural = "items"
    default_size = DEFAULT_SIZE
    is_estimate = False  # of the total, when counting would read too much (api.bounded)

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        self.plural = getattr(view, "plural", self.plural)
        start, self.size = self.window(request)
        # one row more than asked for tells whether this is the end, and spares small tables the COUNT
        found = list(ordered_to_the_end(queryset)[start : start + self.size + 1])
        rows = found[: self.size]
        known = start + len(rows)
        if (rows and len(found) <= self.size) or (start == 0 and not rows):
            self.total: int | None = known
        else:
            total = cached_total(queryset)
            self.total, self.is_estimate = max(known if rows else 0, int(total)), not total.is_exact
        return rows

    def window(self, request: Request) -> tuple[int, int]:
        """Where the page begins, and how long it is."""
        page, size = positive(request, "page", default=1, most=MAX_PAGE), page_size(request, default=self.default_size)
        self.page: int | None = page
        return (page - 1) * size, size

    def get_paginated_response(self, data: Any) -> Response:
        envelope = {self.plural: data, "total": self.total, "page": self.page, "pageSize": self.size}
        return Response(envelope | ({"totalIsEstimate": True} if self.is_estimate else {}))

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        numbers = {"total": 0, "page": 1, "pageSize": 1}
        return {
            "type": "object",
            "required": [self.plural, *numbers],
            "properties": {self.plural: schema}
            | {name: {"type": "integer", "minimum": least} for name, least in numbers.items()}
            | {"totalIsEstimate": {"type": "boolean", "description": "Only there when the total was not counted."}},
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        size_note = f"At most {MAX_SIZE}; more is cut to it, and the answer says so."
        return [
            parameter("page", {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": 1}),
            parameter("pageSize", {"type": "integer", "minimum": 1, "default": self.default_size}, size_note),
        ]


class LogPagination(EnvelopePagination):
    """Newest first by id; with `?cursor=` (empty to begin) as deep as wished, and `total` null.

    Only for append-only rows: the cursor is the last id that was shown.
    """

    parameters = ("page", "pageSize", "cursor")
    may_be_empty: tuple[str, ...] = ("cursor",)  # where a walk begins

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        self.next_cursor: str | None = None
        newest_first = queryset.order_by("-pk")
        if "cursor" not in request.query_params:
            return super().paginate_queryset(newest_first, request, view)
        if "page" in request.query_params:
            raise refused("page", _("A page and a cursor exclude each other."))
        self.plural = getattr(view, "plural", self.plural)
        self.page, self.total, self.size = None, None, page_size(request, default=self.default_size)
        if request.query_params["cursor"]:
            newest_first = newest_first.filter(pk__lt=positive(request, "cursor", default=1, most=2**63 - 1))
        found = list(newest_first[: self.size + 1])
        if len(found) > self.size:
            last = found[self.size - 1]
            self.next_cursor = str(last["id"] if isinstance(last, dict) else last.pk)
        return found[: self.size]

    def get_paginated_response(self, data: Any) -> Response:
        response = super().get_paginated_response(data)
        response.data["nextCursor"] = self.next_cursor
        return response

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        envelope = super().get_paginated_response_schema(schema)
        for name in ("total", "page"):
            envelope["properties"][name] = {"type": ["integer", "null"]}
        envelope["properties"]["nextCursor"] = {"type": ["string", "null"]}
        envelope["required"].append("nextCursor")
        return envelope

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        note = "Empty for the newest rows, then nextCursor of the answer before; excludes page."
        return [
            *super().get_schema_operation_parameters(view),
            parameter("cursor", {"type": "string", "pattern": r"^([1-9][0-9]{0,17})?$"}, note)
            | {"allowEmptyValue": True},
        ]


def page_size(request: Request, *, default: int = DEFAULT_SIZE) -> int:
    """`?pageSize=`, cut to the most we give."""
    return min(positive(request, "pageSize", default=default, most=None), MAX_SIZE)


def ordered_to_the_end(queryset: QuerySet) -> QuerySet:
    """The same order with the primary key last: two rows that tie must not swap between two pages."""
    query = queryset.query
    ordering: Any = query.order_by or (query.get_meta().ordering if query.default_ordering else ())
    key = query.get_meta().pk.name
    if ordering and ordering[-1] in ("pk", "-pk", key, f"-{key}"):
        return queryset
    return queryset.order_by(*ordering, "pk")


def cached_total(queryset: QuerySet) -> Count:
    """How many filtered rows, up to 5 s old; a cache that is down only makes it slower."""
    unordered = queryset.order_by()
    try:
        sql, parameters = unordered.query.sql_with_params()
    except EmptyResultSet:
        return Count(0)
    digest = hashlib.sha256(f"{sql}{parameters!r}".encode("utf-8", "replace")).hexdigest()
    key = f"api-total:{digest}"
    known = ask(lambda: cache.get(key), otherwise=None)
    if known is not None:
        return Count(*known)
    total = count_of(unordered)
    ask(lambda: cache.set(key, (int(total), total.certainty), _TOTAL_LIVES), otherwise=None)
    return total


def parameter(name: str, schema: dict[str, Any], note: str = "") -> dict[str, Any]:
    """A query parameter as the description shows it."""
    parameter: dict[str, Any] = {"name": name, "in": "query", "required": False, "schema": schema}
    return parameter | ({"description": note} if note else {})
