"""Compose: what is selected, as it will be printed, put in order, and exported.

What is shown is `briefs.preview_by_hand`, and what is exported is checked to have the SHA-256 of what was shown:
nobody sends out a text that they have not seen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from exports import reviewing
from exports.admin.composition import (
    SHOWN_AT_MOST,
    Composition,
    batch_url,
    duplicates_of,
    faults_of,
    swapped,
)
from exports.admin.wishes import MAY_DECIDE, MAY_EXPORT, message_of, read_keys, status_of, wants_json
from exports.briefs import Brief, export_by_hand
from exports.diffs import Line, lines_between
from exports.models import ManualReview
from runs.errors import Conflict, Contention

SEEN_AT_MOST = 500_000  # characters of a preview that travel with the form, to tell what changed since


class ComposeMixin(ModelAdmin):
    """The screens of a brief in the making, mounted on the review desk."""

    def screen_urls(self) -> list[URLPattern]:
        def mine(route: str, view: Callable[..., HttpResponseBase], name: str) -> URLPattern:
            return path(route, self.admin_site.admin_view(view), name=name)

        return [
            mine("exports/compose/", require_GET(self.compose_view), "exports_compose"),
            mine("exports/compose/order/", require_POST(self.order_view), "exports_compose_order"),
            mine("exports/compose/confirm/", require_POST(self.confirm_view), "exports_compose_confirm"),
            mine("exports/compose/export/", require_POST(self.export_view), "exports_compose_export"),
        ]

    def menu_screens(self, request: HttpRequest) -> list[tuple[Any, str]]:
        return [(_("Compose"), reverse("admin:exports_compose"))]

    def compose_view(self, request: HttpRequest) -> HttpResponse:
        """The whole screen; only its moving part for the script."""
        self._require(request)
        composition = Composition(request, request.GET)
        if request.headers.get("x-part"):
            return TemplateResponse(request, "exports/compose_body.html", {"composition": composition})
        context = {
            **self.admin_site.each_context(request),
            "title": _("Compose"),
            "opts": self.opts,
            "composition": composition,
        }
        return TemplateResponse(request, "exports/compose.html", context)

    def order_view(self, request: HttpRequest) -> HttpResponse:
        """`order` is the whole list as "key:version …"; `move` is "up|down key:version" for who has no script."""
        self._require(request, MAY_DECIDE)
        try:
            ids, versions = self._wanted_order(request)
            reviewing.put_in_order(selected=ids, versions=versions, actor=request.user)
        except (ValidationError, Conflict, Contention) as error:
            return self._answer(request, message_of(error), status_of(error))
        return self._answer(request, _("The order is saved."), 200)

    def _wanted_order(self, request: HttpRequest) -> tuple[list[str], dict[str, int]]:
        direction, _space, moved = request.POST.get("move", "").partition(" ")
        seen = read_keys(moved if direction else request.POST.get("order", ""), most=SHOWN_AT_MOST)
        reviews = {review.pk: review for review in ManualReview.objects.filter(pk__in=seen)}
        if len(reviews) < len(seen):
            raise ValidationError(_("This article is no longer here. Load the page again."))
        versions = {reviews[key].article_id: version for key, version in seen.items()}
        if not direction:
            return list(versions), versions
        composition = Composition(request, QueryDict(request.POST.get("next", "")[:4000]))
        return swapped(composition, next(iter(versions)), up=direction == "up"), versions

    def _answer(self, request: HttpRequest, message: str, status: int) -> HttpResponse:
        asked = QueryDict(request.POST.get("next", "")[:4000])
        composition = Composition(request, asked)
        if not wants_json(request):
            self.message_user(request, message, messages.SUCCESS if status == 200 else messages.ERROR)
            return redirect(f"{reverse('admin:exports_compose')}?{composition.query}")
        body = render_to_string("exports/compose_body.html", {"composition": composition}, request)
        return JsonResponse({"message": message, "body": body}, status=status)

    # --- exporting -------------------------------------------------------------------------------

    def confirm_view(self, request: HttpRequest) -> HttpResponse:
        """What would be exported, once more, before it is."""
        self._require(request, MAY_EXPORT)
        composition = Composition(request, request.POST)
        if composition.brief is None or not composition.brief.printed.placed:
            for fault in faults_of(composition):
                self.message_user(request, fault, messages.ERROR)
            return redirect(f"{reverse('admin:exports_compose')}?{composition.query}")
        return self._confirm(request, composition)

    def _confirm(
        self, request: HttpRequest, composition: Composition, *, changes: list[Line] | None = None, status: int = 200
    ) -> HttpResponse:
        brief = composition.brief
        assert brief is not None
        context = {
            **self.admin_site.each_context(request),
            "title": _("Export %(tag)s") % {"tag": brief.report_tag},
            "opts": self.opts,
            "composition": composition,
            "brief": brief,
            "left_out": list(composition.left_out()),
            "duplicates": duplicates_of(composition),
            "changes": changes,
            "seen": brief.content if len(brief.content) <= SEEN_AT_MOST else "",
        }
        return TemplateResponse(request, "exports/compose_confirm.html", context, status=status)

    def export_view(self, request: HttpRequest) -> HttpResponse:
        """Export what the confirm page showed, and nothing else."""
        self._require(request, MAY_EXPORT)
        composition = Composition(request, request.POST)
        back = f"{reverse('admin:exports_compose')}?{composition.query}"
        expected = request.POST.get("expected_sha256", "")
        if not composition.form.is_valid() or len(expected) != 64:
            for fault in faults_of(composition) or [_("Look at the brief before you export it.")]:
                self.message_user(request, fault, messages.ERROR)
            return redirect(back)
        try:
            brief = export_by_hand(replace(composition.form.as_options(), expected_sha256=expected), actor=request.user)
        except ValidationError as error:
            self.message_user(request, " ".join(error.messages), messages.ERROR)
            return redirect(back)
        except (Conflict, Contention) as error:
            if getattr(error, "slug", "") != "preview-outdated" or composition.brief is None:
                self.message_user(request, str(error.message), messages.ERROR)
                return redirect(back)
            seen = request.POST.get("seen", "").replace("\r\n", "\n")
            changes = lines_between(seen, composition.brief.content) if seen else []
            self.message_user(request, str(error.message), messages.WARNING)
            return self._confirm(request, composition, changes=changes, status=409)
        self._say_what_was_done(request, brief)
        assert brief.batch is not None
        return redirect(batch_url(brief.batch))

    def _say_what_was_done(self, request: HttpRequest, brief: Brief) -> None:
        printed = len(brief.printed.placed)
        done = ngettext("%(count)s article was exported.", "%(count)s articles were exported.", printed)
        self.message_user(request, done % {"count": printed})
        if brief.skipped_duplicates:
            again = ngettext(
                "%(count)s of them was in this brief already and is not recorded twice.",
                "%(count)s of them were in this brief already and are not recorded twice.",
                len(brief.skipped_duplicates),
            )
            self.message_user(request, again % {"count": len(brief.skipped_duplicates)}, messages.INFO)
        if brief.file_error:
            note = _("The file could not be written (%(error)s). The text is stored: write the file again below.")
            self.message_user(request, note % {"error": brief.file_error}, messages.WARNING)

    def _require(self, request: HttpRequest, permission: str = "") -> None:
        if not self.has_view_permission(request) or (permission and not request.user.has_perm(permission)):
            raise PermissionDenied
