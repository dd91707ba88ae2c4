"""Screens for users and roles, tokens, and the audit log."""

from typing import Any

from axes.models import AccessAttempt
from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from access.lockout import locked_out, unlock
from access.models import AccessToken, AuditEvent
from access.querysets import distinct_by_index
from access.services import MAX_TOKEN_DAYS, create_token, record, revoke_token
from desk.admin import OpsList, OpsModelAdmin, ReadOnlyAdmin
from desk.badges import badge, json_block
from desk.object_actions import object_action

admin.site.unregister([User, Group])


class Audited(admin.ModelAdmin):
    """Writes an audit event beside each of Django's own log entries, in the same transaction."""

    noun = ""

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        record(actor=request.user, action=f"{self.noun}.added", target=obj, after={"changes": message})
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        # Django's message names the fields that changed; values would put password hashes on record
        record(actor=request.user, action=f"{self.noun}.changed", target=obj, after={"changes": message})
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: QuerySet) -> Any:
        for each in queryset:
            record(actor=request.user, action=f"{self.noun}.deleted", target=each)
        return super().log_deletions(request, queryset)


@admin.register(User)
class AuditedUserAdmin(Audited, OpsList, UserAdmin):
    """Users. Only a superuser may touch superusers or grant what goes beyond the roles."""

    noun = "user"
    list_display = ("username", "email", "is_active", "is_staff", "last_login")

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        beyond_roles = () if request.user.is_superuser else ("is_superuser", "user_permissions")
        return (*super().get_readonly_fields(request, obj), *beyond_roles)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_change_permission(request, obj) and _may_touch(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_delete_permission(request, obj) and _may_touch(request, obj)


@admin.register(Group)
class AuditedGroupAdmin(Audited, OpsList, GroupAdmin):
    noun = "role"

    def get_readonly_fields(self, request: HttpRequest, obj: Group | None = None) -> Any:
        # or an administrator could give the own role every permission there is
        beyond_roles = () if request.user.is_superuser else ("permissions",)
        return (*super().get_readonly_fields(request, obj), *beyond_roles)


def _may_touch(request: HttpRequest, user: User | None) -> bool:
    return user is None or not user.is_superuser or request.user.is_superuser


class TokenForm(forms.ModelForm):
    days = forms.IntegerField(
        label=_("days"),
        required=False,
        min_value=1,
        max_value=MAX_TOKEN_DAYS,
        help_text=_("How long it lasts; empty: until it is revoked."),
    )

    asked_by: Any = None

    class Meta:
        model = AccessToken
        fields = ("user", "name", "read_only")

    def clean_user(self) -> User:
        user = self.cleaned_data["user"]
        if not user.is_active:
            raise ValidationError(_("An inactive user cannot have a token."), code="inactive")
        if user.is_superuser and not self.asked_by.is_superuser:
            raise ValidationError(_("Only a superuser makes tokens for a superuser."), code="superuser")
        return user

    def _post_clean(self) -> None:
        """The row is made, and checked, by the service: here it has no hash yet."""


@admin.register(AccessToken)
class AccessTokenAdmin(OpsModelAdmin):
    form = TokenForm
    list_display = (
        "prefix", "name", "user", "read_only", "created_at", "expires_at", "last_used_at", "revoked_at"
    )  # fmt: skip
    list_filter = ("read_only", ("revoked_at", admin.EmptyFieldListFilter))
    list_select_related = ("user",)
    search_fields = ("prefix", "name", "user__username")
    autocomplete_fields = ("user",)
    actions = ("revoke",)

    def get_fields(self, request: HttpRequest, obj: AccessToken | None = None) -> Any:
        # the hash is never shown, not even to whoever may see everything
        return ("user", "name", "read_only", "days") if obj is None else self.list_display

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, obj, change, **kwargs)
        form.asked_by = request.user
        return form

    def save_model(self, request: HttpRequest, obj: AccessToken, form: TokenForm, change: bool) -> None:
        asked = form.cleaned_data
        token, plaintext = create_token(
            asked["user"],
            name=asked["name"],
            read_only=asked["read_only"],
            days=asked["days"],
            actor=request.user,
        )
        obj.__dict__.update(token.__dict__)  # the admin goes on with the object of its form
        note = _("The token is %s. Copy it now: it is shown only this once.")
        self.message_user(request, note % plaintext, messages.WARNING)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # a token is made and revoked, never edited

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("access.revoke_accesstoken")

    @admin.action(description=_("Revoke selected tokens"), permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[AccessToken]) -> None:
        revoked = sum(revoke_token(token, actor=request.user) for token in queryset.select_related("user"))
        note = ngettext("%d token revoked.", "%d tokens revoked.", revoked) % revoked
        self.message_user(request, note, messages.SUCCESS)


@admin.register(AccessAttempt)
class SignInAttemptAdmin(ReadOnlyAdmin):
    """Failed sign-ins that still count, and the way out for whoever is locked out."""

    list_display = ("username", "ip_address", "attempt_time", "failures_since_start", "locked")
    search_fields = ("username__exact", "ip_address__exact")
    search_help_text = _("User name or address, exactly.")
    ordering = ("-attempt_time",)
    sortable_by = ()
    fields = ("username", "ip_address", "user_agent", "path_info", "attempt_time", "failures_since_start", "locked")
    readonly_fields = ("locked",)
    object_actions = ["unlock"]
    list_empty_text = _("Nobody failed to sign in lately.")

    @object_action(
        label=_("Unlock the user"),
        permission="axes.delete_accessattempt",
        confirm=_("The failed attempts of this user, from every address, are forgotten."),
    )
    def unlock(self, request: HttpRequest, attempt: AccessAttempt) -> HttpResponse:
        unlock(attempt.username or "", actor=request.user)
        self.message_user(request, gettext("%s may try again.") % attempt.username, messages.SUCCESS)
        return redirect("admin:axes_accessattempt_changelist")

    @admin.display(description=_("locked out"))
    def locked(self, attempt: AccessAttempt) -> SafeString | None:
        pair = AccessAttempt.objects.filter(username=attempt.username, ip_address=attempt.ip_address)
        return badge(gettext("locked out"), "danger") if locked_out(pair) else None


class KnownValuesFilter(admin.SimpleListFilter):
    """A choice among the values a column of the log has; they are read from an index, not from the log."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        values = distinct_by_index(AuditEvent, self.parameter_name, limit=200)
        return [(value, value) for value in values if value]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(**{self.parameter_name: self.value()}) if self.value() else queryset


class ActionFilter(KnownValuesFilter):
    title = _("action")
    parameter_name = "action"


class ActorFilter(KnownValuesFilter):
    title = _("actor")
    parameter_name = "actor_name"


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    shows_timeline = False  # it is one
    list_display = ("created_at", "actor_name", "action", "object_type", "object_name")
    list_filter = (ActionFilter, ActorFilter, "created_at")
    # exact and cased as stored, each by an index of its own
    search_fields = ("object_id__exact", "request_id__exact", "actor_name__exact")
    search_help_text = _("Object id, request id or actor, exactly.")
    sortable_by = ()
    show_full_result_count = False
    date_hierarchy = None
    fields = (
        "created_at", "actor_name", "action", "object_type", "object_id", "object_name",
        "before_text", "after_text", "request_id",
    )  # fmt: skip
    readonly_fields = ("before_text", "after_text")

    @admin.display(description=_("before"))
    def before_text(self, event: AuditEvent) -> SafeString | None:
        return json_block(event.before)

    @admin.display(description=_("after"))
    def after_text(self, event: AuditEvent) -> SafeString | None:
        return json_block(event.after)
