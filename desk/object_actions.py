"""Buttons of an admin page that change something: POST only, one permission each, redirect after.

    class LampAdmin(OpsModelAdmin):
        object_actions = ["switch_off"]

        @object_action(label=_("Switch off"), permission="house.switch_lamp", confirm=_("Leave it dark?"))
        def switch_off(self, request, lamp): …

A method takes `(request, obj)` when named in `object_actions`, `(request)` in `list_actions`, and one
argument more, the cleaned data, when it has a form. It returns None or a response. With `confirm` or a
form the first POST only shows a page that asks; the second one, marked `confirmed`, does it. `confirm` may
be a function of the object, where the question depends on it. What it
raises as ValidationError is shown as a message. Every answer to a done deed is a redirect, so reloading
the page repeats nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from desk.badges import Tone

Context = dict[str, Any]
Target = list[Any]  # the object, or nothing on a list


@dataclass(frozen=True)
class ObjectAction:
    """One button."""

    name: str
    label: str
    permission: str | Callable[[Any], str]  # the latter for a base class that serves many models
    confirm: str | Callable[..., str] = ""
    tone: Tone = "neutral"
    form: type[forms.Form] | None = None
    when: Callable[[Any], bool] = lambda obj: True
    initial: Callable[..., Context] = lambda *target: {}  # what the form shows before anything is typed

    @property
    def asks_first(self) -> bool:
        return bool(self.confirm or self.form)

    def question(self, *target: Any) -> str:
        """What is asked before it is done to this object (or to nothing, on a list)."""
        return self.confirm(*target) if callable(self.confirm) else self.confirm


def object_action(
    *, label: Any, permission: str | Callable[[Any], str], **options: Any
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Mark a ModelAdmin method as a button; `options` are the other fields of ObjectAction."""

    def mark(method: Callable[..., Any]) -> Callable[..., Any]:
        method.object_action = ObjectAction(  # type: ignore[attr-defined]
            name=method.__name__, label=label, permission=permission, **options
        )
        return method

    return mark


class ObjectActionsMixin(ModelAdmin):
    """Mounts the declared buttons and shows those the user may press."""

    object_actions: list[str] = []
    list_actions: list[str] = []

    def get_urls(self) -> list[URLPattern]:
        on_list = [
            path(f"do/{name}/", self.admin_site.admin_view(self._list_view(name)), name=self._url_name(name))
            for name in self.list_actions
        ]
        on_object = [
            path(
                f"<path:object_id>/do/{name}/",
                self.admin_site.admin_view(self._object_view(name)),
                name=self._url_name(name),
            )
            for name in self.object_actions
        ]
        return on_list + on_object + super().get_urls()  # before Django's catch-all

    def may_do(self, request: HttpRequest, action: ObjectAction) -> bool:
        wanted = action.permission
        return request.user.has_perm(wanted if isinstance(wanted, str) else wanted(self))

    def buttons(self, request: HttpRequest, obj: Any = None) -> list[dict[str, Any]]:
        """The buttons of this page, for the template."""
        names = self.list_actions if obj is None else self.object_actions
        actions = [self._action(name) for name in names]
        target: Target = [] if obj is None else [obj]
        return [
            {
                "action": action,
                "url": reverse(f"admin:{self._url_name(action.name)}", args=[each.pk for each in target]),
                "question": "" if action.form else action.question(*target),
            }
            for action in actions
            if self.may_do(request, action) and (obj is None or action.when(obj))
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {"buttons": self.buttons(request), **(extra_context or {})})

    def render_change_form(self, request: HttpRequest, context: Context, *args: Any, **kwargs: Any) -> HttpResponse:
        if (obj := context.get("original")) is not None:
            context["buttons"] = self.buttons(request, obj)
        return super().render_change_form(request, context, *args, **kwargs)

    def _action(self, name: str) -> ObjectAction:
        return getattr(self, name).object_action

    def _url_name(self, name: str) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_do_{name}"

    def _list_view(self, name: str) -> Callable[..., HttpResponse]:
        def view(request: HttpRequest) -> HttpResponse:
            if request.method != "POST":
                return HttpResponseNotAllowed(["POST"])
            back = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
            return self._press(request, self._action(name), [], back)

        return view

    def _object_view(self, name: str) -> Callable[..., HttpResponse]:
        def view(request: HttpRequest, object_id: str) -> HttpResponse:
            if request.method != "POST":
                return HttpResponseNotAllowed(["POST"])
            obj = self.get_object(request, object_id)
            if obj is None or not self.has_view_permission(request, obj):
                raise Http404
            back = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[obj.pk])
            return self._press(request, self._action(name), [obj], back)

        return view

    def _press(self, request: HttpRequest, action: ObjectAction, target: list[Any], back: str) -> HttpResponse:
        if not self.may_do(request, action):
            raise PermissionDenied
        confirmed = "confirmed" in request.POST
        said = request.POST if confirmed else None
        form = action.form(said, initial=action.initial(*target)) if action.form else None
        if action.asks_first and not (confirmed and (form is None or form.is_valid())):
            return self._ask(request, action, target, back, form)
        try:
            answer = getattr(self, action.name)(request, *target, *([form.cleaned_data] if form else []))
        except ValidationError as error:
            self.message_user(request, " ".join(error.messages), messages.ERROR)
            answer = None
        return answer or redirect(back)

    def _ask(
        self,
        request: HttpRequest,
        action: ObjectAction,
        target: list[Any],
        back: str,
        form: forms.Form | None,
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": action.label,
            "subtitle": str(target[0]) if target else "",
            "opts": self.opts,
            "action": action,
            "question": action.question(*target),
            "form": form,
            "media": self.media + form.media if form else "",  # date widgets need the admin's own scripts
            "back": back,
        }
        return TemplateResponse(request, "desk/confirm.html", context, status=422 if form and form.is_bound else 200)
