"""What belongs to one user is not there for the others: neither in a list nor behind its address."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin import ModelAdmin
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy

from roadmaps.querysets import sees_all

OWNERS_LISTED = 100
LARGEST_ID = 2**31 - 1


class OwnedMixin(ModelAdmin):
    """Only the user's own rows, all for an administrator; any other address is 404, whoever asks."""

    def get_queryset(self, request: HttpRequest) -> Any:
        rows: Any = super().get_queryset(request)
        return rows.visible_to(request.user)

    def owned(self, request: HttpRequest, pk: Any) -> Any:
        """The row behind an address. Raises PermissionDenied for who may see none, Http404 where it is not theirs."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        row = self.get_object(request, str(pk))
        if row is None:
            raise Http404
        return row

    def _get_obj_does_not_exist_redirect(self, request: HttpRequest, opts: Any, object_id: str) -> HttpResponse:
        raise Http404  # Django would lead home and name the key


class OwnerFilter(admin.SimpleListFilter):
    """Whose; the first names of the alphabet, anybody else by the id in the address. Only for who sees all."""

    title = gettext_lazy("owner")
    parameter_name = "owner"
    field = "owner"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        if not sees_all(request.user):
            return []
        users = get_user_model()._default_manager.order_by("username").values_list("pk", "username")[:OWNERS_LISTED]
        return [(str(pk), name) for pk, name in users]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        asked = self.value()
        if not asked:
            return queryset
        is_id = asked.isascii() and asked.isdecimal() and int(asked) <= LARGEST_ID
        return queryset.filter(**{self.field: int(asked)}) if is_id else queryset.none()


class RequesterFilter(OwnerFilter):
    """The same for tasks."""

    field = "requested_by"
