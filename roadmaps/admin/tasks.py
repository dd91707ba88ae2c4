"""Roadmap tasks: ask for a roadmap, watch its steps, review its tree, retry, change the wish, cancel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import conditional_page, require_safe

from desk.badges import badge, number
from desk.bulk import bulk_action
from desk.object_actions import Context, object_action
from llm.models import LLMCall
from roadmaps import many
from roadmaps.admin.advice import advice_for
from roadmaps.admin.filters import RetriedFilter, StuckFilter
from roadmaps.admin.forms import FeedbackForm, FromStepForm, WishFields, changes_of, wish_of
from roadmaps.admin.links import roadmap_url, steps_url
from roadmaps.admin.new_task import MAY_RUN, NewTaskMixin
from roadmaps.admin.owned import RequesterFilter
from roadmaps.admin.step_pages import StepPagesMixin
from roadmaps.admin.stepper import is_writing, stepper, tokens_of
from roadmaps.admin.trees import rows_of, states_of, tree_of
from roadmaps.choices import CONTENT_STEPS, StepName, Strategy, TaskStatus
from roadmaps.history import last_check
from roadmaps.models import Concept, RoadmapStep, RoadmapTask
from roadmaps.querysets import SHORTEST_PART
from roadmaps.services import Retried, RetryWish, decide, retry_roadmap
from roadmaps.wishes import Wish
from runs.admin import RunAdmin
from runs.api import poll_after
from runs.errors import Conflict, Contention

NOTHING = "—"
OF_REVIEW = ("approve", "ask_for_changes")  # their buttons stand in the panel with the tree
LONGEST_WISH = 90


def has_ended(task: RoadmapTask) -> bool:
    """Whether it can be tried again."""
    return not task.is_open


def is_incomplete(task: RoadmapTask) -> bool:
    """Whether a plain retry has anything to do."""
    return not task.is_open and task.status != TaskStatus.COMPLETED


def is_waiting(task: RoadmapTask) -> bool:
    """Whether somebody has to look at its tree."""
    return task.status == TaskStatus.HUMAN_REVIEW_PENDING


@admin.register(RoadmapTask)
class RoadmapTaskAdmin(StepPagesMixin, NewTaskMixin, RunAdmin):
    list_display = (
        "wish", "status_mark", "step_mark", "progress_meter", "attempts", "duration", "roadmap_link", "requested_by",
        "created_at",
    )  # fmt: skip
    list_filter = ("status", "current_step", StuckFilter, RetriedFilter, RequesterFilter, "created_at")
    list_select_related = ("requested_by", "superseded_by", "roadmap")
    ordering = ("-created_at", "task_id")
    search_fields = ("user_request",)  # shows the box; get_search_results asks the queryset
    search_help_text = gettext_lazy("The id, or a part of the wish.")
    object_actions: ClassVar = [
        "retry", "retry_from", "change_wish", "restart", "cancel_run", "approve", "ask_for_changes",
    ]  # fmt: skip
    bulk_actions: ClassVar = ["retry_all", "cancel_all"]
    download_fields = (
        "task_id", "status", "current_step", "user_request", "retries", "recovery", "human_review", "roadmap",
        "created_at", "started_at", "finished_at", "error", "error_text", "failed_concepts",
    )  # fmt: skip
    list_empty_text = gettext_lazy("Say what you want to learn with “Add roadmap task”; a worker makes the roadmap.")
    change_form_template = "roadmaps/task.html"
    cancel_permission = MAY_RUN
    fieldsets = (
        (
            gettext_lazy("Asked for"),
            {
                "fields": (
                    "query", "level", "hours_per_week", "language", "motivation", "background", "with_review",
                    "requested_by", "created_at",
                )
            },
        ),
        (gettext_lazy("Course"), {"fields": ("roadmap_link", "attempts", "recovery", "started_at", "finished_at")}),
    )  # fmt: skip
    readonly_fields = (
        "query", "level", "hours_per_week", "language", "motivation", "background", "with_review", "roadmap_link",
        "attempts",
    )  # fmt: skip

    class Media:
        css: ClassVar = {"all": ["roadmaps/roadmaps.css"]}

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).defer("roadmap__framework")  # a tree is long

    def get_search_results(self, request: HttpRequest, tasks: Any, text: str) -> tuple[Any, bool]:
        say_if_short(request, text)
        return tasks.search(text), False

    # --- The page ------------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_safe(conditional_page(self.live_view)))
        return [path("<uuid:pk>/live/", view, name="roadmaps_roadmaptask_live"), *super().get_urls()]

    def poll(self, run: Any) -> str:
        """While it waits for a review the page looks only whether somebody else has made it."""
        if not run.is_open:
            return ""
        address = reverse("admin:roadmaps_roadmaptask_live", args=[run.pk])
        return f"{address}?waiting=1" if is_waiting(run) else address

    def live_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """The part of the page that moves, as it is now."""
        task = self.owned(request, pk)
        is_over = not task.is_open or is_waiting(task) != ("waiting" in request.GET)
        context = {"original": task, "is_over": is_over, **self.page_context(task)}
        answer = HttpResponse(render_to_string("roadmaps/task_live.html", context, request))
        answer["Retry-After"] = str(poll_after(task.started_at or task.created_at))
        return answer

    def page_context(self, run: Any) -> Context:
        concepts = list(Concept.objects.filter(roadmap=run.roadmap_id).in_order()) if run.roadmap_id else []
        lines = stepper(run, states_of(concepts))
        return super().page_context(run) | {
            "title": Truncator(str(run)).chars(LONGEST_WISH),
            "lines": lines,
            "rows": rows_of(concepts, is_writing=is_writing(run), reasons=_reasons(run)),
            "tokens": number(tokens_of(lines)),
            "advice": advice_for(run),
            "steps_url": steps_url(run.pk),
        }

    def render_change_form(self, request: HttpRequest, context: Context, *args: Any, **kwargs: Any) -> HttpResponse:
        task = context.get("original")
        if task is not None:
            context |= self._review(request, task)
            if request.user.has_perm("llm.view_llmcall") and (calls := LLMCall.objects.of_run(task).count()):
                context |= {
                    "calls": number(calls),
                    "calls_url": f"{reverse('admin:llm_llmcall_changelist')}?q={task.pk}",
                }
        return super().render_change_form(request, context, *args, **kwargs)

    def _review(self, request: HttpRequest, task: RoadmapTask) -> Context:
        """The tree that waits, with what the last check said of it."""
        if not is_waiting(task) or task.roadmap is None or not request.user.has_perm(MAY_RUN):
            return {}
        return {
            "review": True,
            "feedback_form": FeedbackForm(),
            "tree": tree_of(task.roadmap.framework),
            "tree_of": task.roadmap,
            "issues": last_check(task),
        }

    def buttons(self, request: HttpRequest, obj: Any = None) -> list[dict[str, Any]]:
        return [each for each in super().buttons(request, obj) if each["action"].name not in OF_REVIEW]

    # --- Buttons -------------------------------------------------------------------------------------

    @object_action(
        label=gettext_lazy("Retry"),
        permission=MAY_RUN,
        confirm=gettext_lazy("Goes on where it failed: what is finished is used again and not paid for twice."),
        tone="info",
        when=is_incomplete,
    )
    def retry(self, request: HttpRequest, task: RoadmapTask) -> None:
        self._retry(request, task, RetryWish())

    @object_action(
        label=gettext_lazy("Retry from a step"),
        permission=MAY_RUN,
        confirm=gettext_lazy("This step and all after it are made anew, with everything that hangs on them."),
        form=FromStepForm,
        when=has_ended,
        initial=lambda task: {"from_step": task.current_step},
    )
    def retry_from(self, request: HttpRequest, task: RoadmapTask, wish: dict[str, Any]) -> None:
        self._retry(request, task, RetryWish(from_step=StepName(wish["from_step"])))

    @object_action(
        label=gettext_lazy("Change the wish"),
        permission=MAY_RUN,
        confirm=gettext_lazy("The task is tried again with the changed wish; what depends on it is made anew."),
        form=WishFields,
        when=has_ended,
        initial=wish_of,
    )
    def change_wish(self, request: HttpRequest, task: RoadmapTask, wish: dict[str, Any]) -> None:
        self._retry(request, task, RetryWish(changes=changes_of(task, wish)))

    @object_action(
        label=gettext_lazy("Restart"),
        permission=MAY_RUN,
        confirm=gettext_lazy("Everything is made anew under the same id; tutorials get a new version."),
        tone="danger",
        when=has_ended,
    )
    def restart(self, request: HttpRequest, task: RoadmapTask) -> None:
        self._retry(request, task, RetryWish(strategy=Strategy.RESTART))

    @object_action(label=gettext_lazy("Approve"), permission=MAY_RUN, tone="info", when=is_waiting)
    def approve(self, request: HttpRequest, task: RoadmapTask) -> None:
        self._try(request, lambda: decide(task, approved=True, user=request.user), _("Approved; its contents follow."))

    @object_action(label=gettext_lazy("Ask for changes"), permission=MAY_RUN, form=FeedbackForm, when=is_waiting)
    def ask_for_changes(self, request: HttpRequest, task: RoadmapTask, said: dict[str, Any]) -> None:
        def ask() -> Any:
            return decide(task, approved=False, feedback=said["feedback"], user=request.user)

        self._try(request, ask, _("The tree is changed and will wait for you again."))

    def _retry(self, request: HttpRequest, task: RoadmapTask, wish: RetryWish) -> None:
        retried: Retried | None = self._try(request, lambda: retry_roadmap(task, wish, actor=request.user))
        if retried is not None:
            label = StepName(retried.resumed_from).label if retried.resumed_from else NOTHING
            said = _("Attempt %(number)s is queued; it goes on at: %(step)s. Steps used again: %(reused)s.")
            reused = number(len(retried.reused_steps))
            self.message_user(request, said % {"number": retried.attempt, "step": label, "reused": reused})

    def _try(self, request: HttpRequest, deed: Callable[[], Any], done: str = "") -> Any:
        """Its answer; None, said as a message, where it was refused."""
        try:
            answer = deed()
        except Conflict as conflict:
            self.message_user(request, conflict.message, messages.WARNING)
            return None
        except Contention as error:
            self.message_user(request, str(error.message), messages.ERROR)
            return None
        if done:
            self.message_user(request, done)
        return answer

    # --- Many at once --------------------------------------------------------------------------------

    @bulk_action(
        label=gettext_lazy("Retry what failed"),
        permission=MAY_RUN,
        confirm=gettext_lazy("Those that failed, partly failed or were cancelled go on where they ended."),
        breakdown="status",
        tone="info",
    )
    def retry_all(self, request: HttpRequest, tasks: Any) -> int:
        return many.retry_all(tasks, actor=request.user)

    @bulk_action(
        label=gettext_lazy("Cancel"),
        permission=MAY_RUN,
        confirm=gettext_lazy("Those that have not ended stop at their next step; what is finished stays."),
        breakdown="status",
        tone="danger",
    )
    def cancel_all(self, request: HttpRequest, tasks: Any) -> int:
        return many.cancel_all(tasks, actor=request.user)

    # --- Cells ---------------------------------------------------------------------------------------

    @admin.display(description=gettext_lazy("wish"))
    def wish(self, task: RoadmapTask) -> SafeString:
        review = badge(_("with a review"), "muted") if task.human_review else ""
        return format_html("{} {}", Truncator(str(task)).chars(LONGEST_WISH), review)

    @admin.display(description=gettext_lazy("step"))
    def step_mark(self, task: RoadmapTask) -> str | None:
        return str(task.get_current_step_display()) or None

    @admin.display(description=gettext_lazy("attempts"))
    def attempts(self, task: RoadmapTask) -> str:
        return number(task.retries + 1)

    @admin.display(description=gettext_lazy("roadmap"))
    def roadmap_link(self, task: RoadmapTask) -> SafeString | str:
        if task.roadmap is None:
            return NOTHING
        return format_html('<a href="{}">{}</a>', roadmap_url(task.roadmap.pk), Truncator(str(task.roadmap)).chars(60))

    @admin.display(description=gettext_lazy("wish"))
    def query(self, task: RoadmapTask) -> str:
        return Wish.from_json(task.user_request).query

    @admin.display(description=gettext_lazy("level"))
    def level(self, task: RoadmapTask) -> Any:
        level = Wish.from_json(task.user_request).level
        return dict(WishFields.base_fields["level"].choices).get(level, level)  # type: ignore[attr-defined]

    @admin.display(description=gettext_lazy("hours per week"))
    def hours_per_week(self, task: RoadmapTask) -> str:
        return number(Wish.from_json(task.user_request).hours_per_week)

    @admin.display(description=gettext_lazy("language"))
    def language(self, task: RoadmapTask) -> str:
        return {"zh": "中文", "en": "English"}.get(Wish.from_json(task.user_request).language, NOTHING)

    @admin.display(description=gettext_lazy("motivation"))
    def motivation(self, task: RoadmapTask) -> str:
        return Wish.from_json(task.user_request).motivation or NOTHING

    @admin.display(description=gettext_lazy("background"))
    def background(self, task: RoadmapTask) -> str:
        return Wish.from_json(task.user_request).background or NOTHING

    @admin.display(description=gettext_lazy("with a review"))
    def with_review(self, task: RoadmapTask) -> str:
        return _("Yes") if task.human_review else _("No")


def _reasons(task: RoadmapTask) -> dict[str, str]:
    """What the last attempt said of contents that failed, by "kind:concept"."""
    kinds = {step.value: kind.value for kind, step in CONTENT_STEPS.items()}
    failed = RoadmapStep.objects.of(task).filter(outcome="failed", step__in=kinds).order_by("retry")
    return {f"{kinds[step]}:{key}": text for step, key, text in failed.values_list("step", "key", "error_text")}


def say_if_short(request: HttpRequest, text: str) -> None:
    """Tell who searches that a short word is looked for at the beginning only."""
    if request.method == "GET" and any(len(word) < SHORTEST_PART for word in text.split()):
        messages.info(request, _("Words of one or two characters were only searched for at the beginning."))
