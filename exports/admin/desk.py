"""The review desk: where editors decide what goes into the next brief.

Every decision is one small POST to this screen, answered with the row as it is now and the counts of the tabs; the
script `exports/desk.js` only sends what the plain forms of the page would send, and shows the answer without a reload.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET, require_POST

from api.bounded import count_of
from desk.admin import ReadOnlyAdmin
from desk.object_actions import Context
from exports import reviewing
from exports.admin import marks, undoing
from exports.admin.compose import ComposeMixin
from exports.admin.panel import EditForm, Panel, templates_known
from exports.admin.shown import (
    EMPTY,
    FILTERS,
    LABELS,
    FilterForm,
    Row,
    grouped,
    kept_query,
    query_of,
    rows_of,
    said_of,
    shown_counts,
    tab_of,
    tabs_of,
)
from exports.admin.whole_lists import WholeListMixin
from exports.admin.wishes import (
    MAY_DECIDE,
    MAY_EXPORT,
    RESTORE,
    back_to,
    is_key,
    message_of,
    read_wish,
    status_of,
    wants_json,
)
from exports.choices import RANKED, ReviewStatus
from exports.listing import Place, Wanted, counts, page_of
from exports.models import ManualReview
from exports.querysets import SHORTEST_PART
from runs.errors import Conflict, Contention

PAGE_SIZE = 30


@admin.register(ManualReview)
class ReviewAdmin(ComposeMixin, WholeListMixin, ReadOnlyAdmin):
    menu_name = gettext_lazy("Review desk")
    menu_place = 0
    list_display = ("article_id", "status")
    change_form_template = "exports/review.html"
    fields = ("status_shown", "decided_by", "decided_at", "version")
    readonly_fields = ("status_shown",)

    # --- addresses -------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        def mine(route: str, view: Callable[..., HttpResponseBase], name: str) -> URLPattern:
            return path(route, self.admin_site.admin_view(view), name=f"exports_manualreview_{name}")

        return [
            mine("decide/", require_POST(self.decide_view), "decide"),
            mine("undo/", require_POST(self.undo_view), "undo"),
            mine("counts/", require_GET(self.counts_view), "counts"),
            mine("<int:pk>/panel/", require_GET(self.panel_view), "panel"),
            mine("<int:pk>/edit/", require_POST(self.edit_view), "edit"),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ManualReview]:
        return super().get_queryset(request).select_related("article")

    # --- the desk --------------------------------------------------------------------------------

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """One tab, filtered, one page. A POST asks before a deed on all of its rows."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            return self._ask_about_all(request)
        tab = tab_of(request.GET)
        form = FilterForm(request.GET)
        wanted = form.wanted(tab)
        for errors in form.errors.values():
            messages.warning(request, " ".join(errors))
        tell_of_short_words(request, wanted)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Review desk"),
            "opts": self.opts,
            "form": form,
            "may_decide": request.user.has_perm(MAY_DECIDE),
            "may_export": request.user.has_perm(MAY_EXPORT),
            "undo_depth": undoing.depth(request),
            "templates": templates_known(),
            "panel": self._panel_asked_for(request),
            **self._listed(request, tab, wanted),
            **(extra_context or {}),
        }
        return TemplateResponse(request, "exports/desk.html", context)

    def _listed(self, request: HttpRequest, tab: str, wanted: Wanted) -> Context:
        """One page of a tab, and what leads from it to others."""
        rows = wanted.rows()
        page = page_of(
            rows,
            PAGE_SIZE,
            after=Place.read(request.GET.get("after", "")),
            before=Place.read(request.GET.get("before", "")),
        )
        query = kept_query(request.GET)
        counted = counts()
        is_filtered = any(query.get(name) for name in FILTERS)
        return {
            "tab": tab,
            "tab_label": LABELS[ReviewStatus(tab)],
            "tabs": tabs_of(counted, query, tab),
            "all_of_it": query_of({"tab": tab, **{name: query.get(name, "") for name in FILTERS}}),
            "is_filtered": is_filtered,
            "more_filters": said_of(wanted),
            "rows": grouped(rows_of(page.rows), in_place=tab in RANKED),
            "count": count_of(rows) if is_filtered else "",
            "older": query_of(query, after=page.after) if page.after else "",
            "newer": query_of(query, before=page.before) if page.before else "",
            "first": query_of(query) if page.before else "",
            "empty": EMPTY[ReviewStatus(tab)],
            "here": request.GET.urlencode(),
            "plain": query_of({"tab": tab}),
            "bulk": self._bulk_of(request, tab),
            "selected_count": counted[ReviewStatus.SELECTED],
        }

    def _panel_asked_for(self, request: HttpRequest) -> Panel | None:
        """Without a script the panel comes with the page."""
        key = request.GET.get("article", "")
        review = self.get_queryset(request).filter(pk=int(key)).first() if is_key(key) else None
        return Panel(review, request) if review else None

    # --- decisions -------------------------------------------------------------------------------

    def decide_view(self, request: HttpRequest) -> HttpResponse:
        """`do` is "<status> <key>:<version> …": what shall become of which rows, as they were seen."""
        self._require_decide(request)
        try:
            to, seen = read_wish(request.POST.get("do", ""))
            reviews = {review.pk: review for review in self.get_queryset(request).filter(pk__in=seen)}
            if len(reviews) < len(seen):
                raise ValidationError(_("This article is no longer here. Load the page again."))
            versions = {reviews[key].article_id: version for key, version in seen.items()}
            ids = list(versions)
            if to == RESTORE:
                reviewing.restore(ids, versions=versions, actor=request.user)
            else:
                decided = reviewing.decide(**{to: ids}, versions=versions, actor=request.user)
        except (ValidationError, Conflict, Contention) as error:
            return self._refused(request, error)
        fresh = self._fresh(ids)
        if to != RESTORE:
            undoing.remember(request, decided.before, {row.article_id: row.version for row in fresh})
        return self._done(request, fresh, sentence_of(to, len(fresh)))

    def undo_view(self, request: HttpRequest) -> HttpResponse:
        """Take back the last decision of this session."""
        self._require_decide(request)
        try:
            ids = undoing.undo(request)
        except (ValidationError, Conflict, Contention) as error:
            return self._refused(request, error)
        message = ngettext("%(count)s decision was taken back.", "%(count)s decisions were taken back.", len(ids))
        return self._done(request, self._fresh(ids), message % {"count": len(ids)})

    def counts_view(self, request: HttpRequest) -> HttpResponse:
        """What the tabs say now, for a page that stands open while others work."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return JsonResponse({"counts": shown_counts(counts())})

    def _require_decide(self, request: HttpRequest) -> None:
        if not (request.user.has_perm(MAY_DECIDE) and self.has_view_permission(request)):
            raise PermissionDenied

    def _fresh(self, article_ids: Iterable[str]) -> list[ManualReview]:
        return list(ManualReview.objects.filter(article_id__in=article_ids).select_related("article"))

    def _done(self, request: HttpRequest, fresh: list[ManualReview], message: str) -> HttpResponse:
        if not wants_json(request):
            self.message_user(request, message)
            return redirect(back_to(request))
        return JsonResponse(
            {
                "message": message,
                "rows": [self._row_json(request, row) for row in rows_of(fresh)],
                "counts": shown_counts(counts()),
                "undo": undoing.depth(request),
            }
        )

    def _refused(self, request: HttpRequest, error: Exception) -> HttpResponse:
        if not wants_json(request):
            self.message_user(request, message_of(error), messages.ERROR)
            return redirect(back_to(request))
        current = getattr(error, "extra", {}).get("current", [])
        fresh = self._fresh([row["articleId"] for row in current])
        answer = {
            "message": message_of(error),
            "rows": [self._row_json(request, row) for row in rows_of(fresh)],
            "counts": shown_counts(counts()),
            "undo": undoing.depth(request),
        }
        return JsonResponse(answer, status=status_of(error))

    def _row_json(self, request: HttpRequest, row: Row) -> dict[str, Any]:
        context = {"row": row, "may_decide": request.user.has_perm(MAY_DECIDE), "tab": row.review.status, "here": ""}
        return {
            "key": row.review.pk,
            "version": row.review.version,
            "status": row.review.status,
            "html": render_to_string("exports/desk_row.html", context, request),
        }

    # --- one article -----------------------------------------------------------------------------

    def panel_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The side panel of one article: what would be printed, the fields an editor may change, where it was."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        panel = Panel(self._review(request, pk), request)
        return TemplateResponse(request, "exports/panel.html", {"panel": panel, "may_decide": panel.may_decide})

    def edit_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Write what an editor typed; 409 shows the words of the other editor beside it, and loses neither."""
        self._require_decide(request)
        review = self._review(request, pk)
        form = EditForm(request.POST, review=review)
        status, others = 200, None
        if form.is_valid():
            try:
                reviewing.edit({review.article_id: form.as_edit()}, actor=request.user)
            except Conflict as conflict:
                status, others = 409, self._review(request, pk)
                form.add_error(None, str(conflict.message))
            except ValidationError as error:
                status = 400
                form.add_error(None, error.messages)
            except Contention as error:
                status = 503
                form.add_error(None, str(error.message))
        else:
            status = 400
        if status == 200:
            review = self._review(request, pk)
            if not wants_json(request):
                self.message_user(request, _("Saved."))
                page = reverse("admin:exports_manualreview_change", args=[pk])
                return redirect(page if request.POST.get("screen") == "page" else back_to(request))
            panel = Panel(review, request)
        else:
            panel = Panel(others or review, request, form=form, others=others)
        context = {
            "panel": panel,
            "may_decide": True,
            "here": request.POST.get("next", ""),
            "screen": request.POST.get("screen", ""),
        }
        if not wants_json(request):
            page = {**self.admin_site.each_context(request), "title": str(review.article), "opts": self.opts, **context}
            return TemplateResponse(request, "exports/edit.html", page, status=status)
        answer = {
            "message": _("Saved.") if status == 200 else " ".join(chain.from_iterable(form.errors.values())),
            "panel": render_to_string("exports/panel.html", context, request),
            "rows": [self._row_json(request, row) for row in rows_of([panel.review])],
        }
        return JsonResponse(answer, status=status)

    def _review(self, request: HttpRequest, pk: int) -> ManualReview:
        review = self.get_queryset(request).filter(pk=pk).first() if pk < 2**63 else None
        if review is None:
            raise Http404
        return review

    def render_change_form(self, request: HttpRequest, context: Context, *args: Any, **kwargs: Any) -> HttpResponse:
        if (review := context.get("original")) is not None:
            panel = Panel(review, request)
            context |= {"panel": panel, "may_decide": panel.may_decide, "briefs": panel.briefs, "screen": "page"}
        return super().render_change_form(request, context, *args, **kwargs)

    def page_context(self, review: ManualReview) -> Context:
        return {"title": review.article.title or review.article_id}

    @admin.display(description=gettext_lazy("status"))
    def status_shown(self, review: ManualReview) -> str:
        return marks.status_mark(review.status)


def tell_of_short_words(request: HttpRequest, wanted: Wanted) -> None:
    """In a long list a short word finds only an article of that very id, which would look like a fault."""
    if (short := wanted.short_words) and not wanted.is_short:
        note = _("“%(word)s” is too short for a list this long: %(least)s characters or more are searched for.")
        messages.info(request, note % {"word": short[0], "least": SHORTEST_PART})


def sentence_of(to: str, count: int) -> str:
    """What was done, for who cannot see the row move."""
    sentences = {
        ReviewStatus.SELECTED.value: ngettext("%(count)s article picked.", "%(count)s articles picked.", count),
        ReviewStatus.BACKUP.value: ngettext(
            "%(count)s article put in backup.", "%(count)s articles put in backup.", count
        ),
        ReviewStatus.DISCARDED.value: ngettext("%(count)s article discarded.", "%(count)s articles discarded.", count),
    }
    again = ngettext("%(count)s article is a candidate again.", "%(count)s articles are candidates again.", count)
    return sentences.get(to, again) % {"count": count}
