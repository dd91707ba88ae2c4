"""Lists that stay fast on a million rows: no count of everything, no page found by skipping all before it."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db import DataError
from django.http import HttpRequest

from api.bounded import Count, count_of

OLDER, NEWER = "older", "newer"
DEEPEST_ROW = 10_000  # a page beyond it would read and throw away all rows before it


class BoundedPaginator(Paginator):
    """Counts as api.bounded does, and ends at DEEPEST_ROW; whoever looks further filters first."""

    @cached_property
    def count(self) -> Count:
        return count_of(self.object_list)

    @cached_property
    def num_pages(self) -> int:
        return max(1, math.ceil(min(int(self.count), DEEPEST_ROW) / self.per_page))


class OpsChangeList(ChangeList):
    """A list in the order of its key, newest first, is walked by key; any other has numbered pages.

    A filter value that no column can hold (NUL, the year 10**30) is treated as Django treats any wrong one.
    """

    older_link = newer_link = newest_link = ""

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> Any:
        for name in (OLDER, NEWER):  # places in the list, which no link to another filter should carry on
            self.params.pop(name, None)
            self.filter_params.pop(name, None)
        return super().get_queryset(request, exclude_parameters)

    def get_results(self, request: HttpRequest) -> None:
        try:
            if set(self.queryset.query.order_by) in ({"-pk"}, {"-id"}):  # Django may say it twice
                self._walk(request)
            else:
                super().get_results(request)
        except (DataError, ValueError, OverflowError, ValidationError) as error:
            raise IncorrectLookupParameters(error) from error

    def _walk(self, request: HttpRequest) -> None:
        """The page older or newer than the key in the address; one row more tells whether it goes on."""
        older, newer = request.GET.get(OLDER), request.GET.get(NEWER)
        found = self._before(newer) if newer else self._after(older)
        if newer and len(found) <= self.list_per_page:
            older, newer, found = None, None, self._after(None)  # the beginning of the list is a full page
        goes_on = len(found) > self.list_per_page
        page = found[: self.list_per_page]
        if newer:
            page.reverse()
        self._link(page, older=goes_on or bool(newer), newer=goes_on if newer else bool(older))
        self._tell(page, Count(len(page)) if not older and not newer and not goes_on else count_of(self.queryset))

    def _after(self, key: str | None) -> list[Any]:
        rows = self.queryset.filter(pk__lt=key) if key else self.queryset
        return list(rows[: self.list_per_page + 1])

    def _before(self, key: str) -> list[Any]:
        return list(self.queryset.filter(pk__gt=key).order_by("pk")[: self.list_per_page + 1])

    def _link(self, page: list[Any], *, older: bool, newer: bool) -> None:
        if page and older:
            self.older_link = self.get_query_string({OLDER: page[-1].pk})
        if page and newer:
            self.newer_link, self.newest_link = self.get_query_string({NEWER: page[0].pk}), self.get_query_string()

    def _tell(self, page: list[Any], count: Count) -> None:
        """What the templates of Django ask a list for."""
        self.result_list, self.result_count = page, max(count, Count(len(page)))
        self.full_result_count, self.show_full_result_count = None, False
        self.show_admin_actions = bool(page)
        self.can_show_all = self.multi_page = False
        self.paginator = self.model_admin.get_paginator(request=None, queryset=page, per_page=self.list_per_page)
