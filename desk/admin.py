"""What every operator screen inherits."""

from typing import Any

from django.contrib.admin import ModelAdmin, ShowFacets
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.text import capfirst

from desk.bulk import BulkActionsMixin
from desk.downloads import DownloadsMixin
from desk.lists import BoundedPaginator, OpsChangeList
from desk.object_actions import Context, ObjectActionsMixin
from desk.timeline import timeline_of


class OpsList(ModelAdmin):
    """What also other people's admins should inherit: sturdy lists, and on each object who did what to it."""

    shows_timeline = True

    paginator = BoundedPaginator

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return OpsChangeList

    def render_change_form(self, request: HttpRequest, context: Context, *args: Any, **kwargs: Any) -> HttpResponse:
        if self.shows_timeline and (obj := context.get("original")) is not None:
            context["timeline"] = timeline_of(request, obj)
        return super().render_change_form(request, context, *args, **kwargs)


class OpsModelAdmin(OpsList, ObjectActionsMixin, BulkActionsMixin, DownloadsMixin):
    """Plain ModelAdmin with the house's habits.

    Lists never count the whole table nor every filter's rows: both are full scans on a million rows.
    """

    list_per_page = 50
    list_max_show_all = 200
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    empty_value_display = "—"
    change_form_template = "desk/change_form.html"
    change_list_template = "desk/change_list.html"
    list_empty_text: Any = ""  # what an empty list tells an operator to do

    def changelist_view(self, request: HttpRequest, extra_context: Context | None = None) -> HttpResponse:
        """Headed by what is listed: there is nothing to "select to change" in most of our lists."""
        asked = f"?{request.GET.urlencode()}" if request.GET else ""
        context = {
            "title": capfirst(self.opts.verbose_name_plural),
            "downloads": self.download_links(request, asked),
        }
        return super().changelist_view(request, context | (extra_context or {}))

    def shown_or_404(self, request: HttpRequest, pk: int) -> Any:
        """The object, for a page of its own; Http404 without it, PermissionDenied for who may not see it."""
        obj = self.get_object(request, str(pk))
        if obj is None:
            raise Http404
        if not self.has_view_permission(request, obj):
            raise PermissionDenied
        return obj

    def page_context(self, obj: Any) -> Context:
        """What the template of the object's page needs to know beside the object."""
        return {}

    def render_change_form(self, request: HttpRequest, context: Context, *args: Any, **kwargs: Any) -> HttpResponse:
        if (obj := context.get("original")) is not None:
            context |= {"title": str(obj), "subtitle": None, **self.page_context(obj)}
        return super().render_change_form(request, context, *args, **kwargs)


class ReadOnlyAdmin(OpsModelAdmin):
    """Rows that only services write: looked at here, never typed into."""

    actions: Any = None
    sortable_by: Any = ()  # another order than that of the key would need an index, or read the whole table

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
