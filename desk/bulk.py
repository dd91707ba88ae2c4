"""Deeds on everything a list shows, however many rows: the filter travels, never a list of ids.

    class LampAdmin(OpsModelAdmin):
        bulk_actions = ["switch_off"]

        @bulk_action(label=_("Switch off"), permission="house.switch_lamp", confirm=_("Leave them dark?"),
                     breakdown="room")
        def switch_off(self, request, lamps):   # a queryset; one UPDATE
            return lamps.update(on=False)       # how many

It stands among the actions of the list, for the rows that are ticked or, by "select all", for every row of
the filter. A page asks first: how many rows, of which kinds, and some of them. Its form carries the
fingerprint of that selection and a number that is good for one time (api.selections). `confirm` may be a
function of the selected rows, where the question depends on them. What is done is one
transaction with one audit event; a selection that changed meanwhile, or a second click, does nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from access.models import AuditEvent
from access.services import record
from api.selections import Selection, SelectionChanged, act_on, selection_of
from desk.badges import Tone

SAMPLES = 20
KINDS = 20
TICKED_AT_MOST = 200  # what a page of a list can hold; more are selected by their filter


@dataclass(frozen=True)
class BulkAction:
    """One deed on many rows."""

    name: str
    label: Any
    permission: str
    confirm: Any
    breakdown: str = ""  # the field whose values are counted on the page that asks
    tone: Tone = "neutral"

    def question(self, rows: QuerySet) -> Any:
        """What is asked before it is done to these rows."""
        return self.confirm(rows) if callable(self.confirm) else self.confirm


class DoneAlready(Exception):
    """The form was sent before; its deed is done."""


def bulk_action(*, label: Any, permission: str, confirm: Any, **options: Any) -> Callable[..., Any]:
    """Mark a ModelAdmin method `(request, rows) -> count`; `options` are the other fields of BulkAction."""

    def mark(method: Callable[..., Any]) -> Callable[..., Any]:
        method.bulk_action = BulkAction(  # type: ignore[attr-defined]
            name=method.__name__, label=label, permission=permission, confirm=confirm, **options
        )
        return method

    return mark


class BulkActionsMixin(ModelAdmin):
    """Lists the declared deeds among the actions, asks, and does them."""

    bulk_actions: list[str] = []

    def get_urls(self) -> list[URLPattern]:
        mine = [
            path(f"all/{name}/", self.admin_site.admin_view(self._bulk_view(name)), name=self._bulk_name(name))
            for name in self.bulk_actions
        ]
        return mine + super().get_urls()  # before Django's catch-all

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions = super().get_actions(request)
        if self.actions is not None or self.bulk_actions:
            for each in self._permitted(request):
                actions[each.name] = (_ask_about_ticked, each.name, each.label)
        return actions

    def _permitted(self, request: HttpRequest) -> list[BulkAction]:
        declared = [getattr(self, name).bulk_action for name in self.bulk_actions]
        return [each for each in declared if request.user.has_perm(each.permission)]

    def _bulk_name(self, name: str) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_all_{name}"

    def _bulk_view(self, name: str) -> Callable[..., HttpResponse]:
        @require_POST
        def view(request: HttpRequest) -> HttpResponse:
            action: BulkAction = getattr(self, name).bulk_action
            if not (request.user.has_perm(action.permission) and self.has_view_permission(request)):
                raise PermissionDenied
            back = _with_query(reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist"), request)
            try:
                self._do(request, action)
            except IncorrectLookupParameters:
                return redirect(f"{back.partition('?')[0]}?e=1")
            except DoneAlready:
                self.message_user(request, _("This was done already; nothing was done twice."), messages.WARNING)
            except SelectionChanged as error:
                self.message_user(request, str(error.message), messages.WARNING)
            except ValidationError as error:
                self.message_user(request, " ".join(error.messages), messages.ERROR)
            return redirect(back)

        return view

    def ask_about(self, request: HttpRequest, action: BulkAction, ticked: list[str] | None) -> HttpResponse:
        """The page that tells what would be done to what; `ticked` None means all of the filter."""
        rows = self._selected(request, ticked)
        seen = selection_of(rows)
        if not seen.count:
            self.message_user(request, _("Nothing is selected."), messages.WARNING)
            return redirect(request.get_full_path())
        changelist = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
        context = {
            **self.admin_site.each_context(request),
            "title": action.label,
            "opts": self.opts,
            "action": action,
            "question": action.question(rows),
            "seen": seen,
            "sentence": self._sentence(seen.count),
            "ticked": ",".join(ticked) if ticked is not None else "",
            "kinds": self._kinds(rows, action.breakdown),
            "kind": self.opts.get_field(action.breakdown).verbose_name if action.breakdown else "",
            "samples": list(rows.order_by("-pk")[:SAMPLES]),
            "once": secrets.token_urlsafe(12),
            "address": _with_query(reverse(f"admin:{self._bulk_name(action.name)}"), request),
            "back": _with_query(changelist, request),
        }
        return TemplateResponse(request, "desk/bulk.html", context)

    def _sentence(self, count: int) -> str:
        shown = number_format(count, force_grouping=True)
        noun = self.opts.verbose_name if count == 1 else self.opts.verbose_name_plural
        return _("%(count)s %(noun)s") % {"count": shown, "noun": noun}

    def _kinds(self, rows: QuerySet, field: str) -> list[dict[str, Any]]:
        """How many of each kind, the largest first."""
        if not field:
            return []
        labels = dict(self.opts.get_field(field).flatchoices)
        counted = rows.order_by().values_list(field).annotate(count=Count("pk")).order_by("-count", field)[:KINDS]
        return [{"label": labels.get(value, value), "count": count} for value, count in counted]

    def _selected(self, request: HttpRequest, ticked: list[str] | None) -> QuerySet:
        """The rows of the list with the filter in the address, or those of them that were ticked."""
        rows = self.get_changelist_instance(request).queryset
        return rows if ticked is None else rows.filter(pk__in=ticked)

    def _do(self, request: HttpRequest, action: BulkAction) -> None:
        """Do it once, with one audit event."""
        form = request.POST
        ticked = [key for key in form.get("ticked", "").split(",") if self._is_key(key)] or None
        if ticked and len(ticked) > TICKED_AT_MOST:
            raise ValidationError(_("Too many rows are ticked; select them by a filter."))
        once = f"once:{form.get('once', '')[:40]}"
        count = form.get("count", "")
        seen = Selection(int(count) if count.isdecimal() else -1, form.get("fingerprint", ""))

        def rows_of() -> QuerySet:
            self._first_time(once)
            return self._selected(request, ticked)

        def deed(rows: QuerySet) -> int:
            done = getattr(self, action.name)(request, rows)
            after = {"filter": dict(request.GET.lists()), "ticked": ticked, "selected": seen.count, "changed": done}
            record(
                actor=request.user,
                action=f"{self.opts.model_name}.{action.name}",
                after=after | {"fingerprint": seen.fingerprint},
                reference=(self.opts.label_lower, once),
            )
            return done

        done = act_on(rows_of, seen, deed)
        shown = number_format(done, force_grouping=True)
        self.message_user(request, _("%(label)s: %(count)s rows.") % {"label": action.label, "count": shown})

    def _is_key(self, text: str) -> bool:
        """Whether a text can be the key of one of these rows: a number, a UUID, or what the table's keys are."""
        try:
            return text.isprintable() and text != "" and self.opts.pk.to_python(text) is not None
        except ValidationError:
            return False

    def _first_time(self, once: str) -> None:
        """Refuse a form that was sent before, or is being dealt with right now."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [once])
            is_alone = cursor.fetchone()[0]
        before = AuditEvent.objects.filter(object_type=self.opts.label_lower, object_id=once)
        if not is_alone or before.exists():
            raise DoneAlready


def _ask_about_ticked(model_admin: BulkActionsMixin, request: HttpRequest, rows: QuerySet) -> HttpResponse:
    """What Django calls when one of the deeds is chosen on the list."""
    chosen = request.POST.getlist("action")
    at = request.POST.get("index", "0")
    name = chosen[int(at) if at.isdecimal() and int(at) < len(chosen) else 0]
    across = request.POST.get("select_across") == "1"
    ticked = None if across else request.POST.getlist(ACTION_CHECKBOX_NAME)[:TICKED_AT_MOST]
    return model_admin.ask_about(request, getattr(model_admin, name).bulk_action, ticked)


def _with_query(address: str, request: HttpRequest) -> str:
    return f"{address}?{request.GET.urlencode()}" if request.GET else address
