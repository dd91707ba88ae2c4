"""The stored answers, to look at."""

from django.contrib import admin

from api.models import IdempotencyKey
from desk.admin import ReadOnlyAdmin


@admin.register(IdempotencyKey)
class IdempotencyKeyAdmin(ReadOnlyAdmin):
    """Which keys protect which requests; the answers stay with those they were given to."""

    list_display = ("key", "route", "user", "status", "created_at")
    list_select_related = ("user",)
    search_fields = ("=key", "=user__username")
    fields = ("user", "route", "key", "status", "created_at")
    show_full_result_count = False
