"""What the steps of a task were given and what they gave: a list of all, and a page for each."""

from __future__ import annotations

from itertools import islice
from typing import Any

from django.contrib.admin import ModelAdmin
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from desk.diffs import FieldDiff, field_diffs
from desk.json_tree import json_tree
from roadmaps.admin.links import step_url
from roadmaps.admin.owned import OwnedMixin
from roadmaps.admin.stepper import length, outcome_badge
from roadmaps.choices import StepName
from roadmaps.history import differences, step_before
from roadmaps.models import RoadmapStep, RoadmapTask

RECORDS_SHOWN = 500
DIFFERENCES_SHOWN = 200
BIGGEST_ID = 2**63 - 1


class StepPagesMixin(OwnedMixin, ModelAdmin):
    """Mounts both under the page of a task."""

    def get_urls(self) -> list[URLPattern]:
        def mine(route: str, view: Any, name: str) -> URLPattern:
            return path(route, self.admin_site.admin_view(require_safe(view)), name=name)

        return [
            mine("<uuid:pk>/steps/", self.steps_view, "roadmaps_roadmaptask_steps"),
            mine("<uuid:pk>/steps/<int:record>/", self.step_view, "roadmaps_roadmaptask_step"),
            *super().get_urls(),
        ]

    def steps_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Every record, newest attempt first; of one step if the address names it."""
        task = self.owned(request, pk)
        records = RoadmapStep.objects.of(task).defer("input", "output").order_by("-retry", "id")
        asked = request.GET.get("step", "")
        if asked in StepName.values:
            records = records.filter(step=asked)
        found = list(records[: RECORDS_SHOWN + 1])
        context = {
            "title": StepName(asked).label if asked in StepName.values else _("All steps"),
            "steps": [_shown(record) for record in found[:RECORDS_SHOWN]],
            "is_cut": len(found) > RECORDS_SHOWN,
            "choices": [(step.value, step.label, step.value == asked) for step in StepName],
            "asked": asked,
        }
        return self._page(request, task, "roadmaps/steps.html", context)

    def step_view(self, request: HttpRequest, pk: Any, record: int) -> HttpResponse:
        """One record: input, what differs from the input of the attempt before, output."""
        task = self.owned(request, pk)
        found = RoadmapStep.objects.of(task).filter(pk=record).first() if record <= BIGGEST_ID else None
        if found is None:
            raise Http404
        before = step_before(found)
        context = {
            "title": _("%(step)s, attempt %(number)s") % {"step": _name(found), "number": found.retry + 1},
            "step": _shown(found),
            "before": before,
            "before_number": before.retry + 1 if before else None,
            "diffs": input_diffs(before, found) if before else [],
            "input": json_tree(found.input),
            "output": json_tree(found.output) if found.output is not None else "",
        }
        return self._page(request, task, "roadmaps/step.html", context)

    def _page(self, request: HttpRequest, task: RoadmapTask, template: str, context: dict[str, Any]) -> HttpResponse:
        shared = {**self.admin_site.each_context(request), "opts": self.opts, "task": task, "subtitle": str(task)}
        return TemplateResponse(request, template, shared | context)


def input_diffs(before: RoadmapStep, after: RoadmapStep) -> list[FieldDiff]:
    """What the step was given that it was not given before, value by value."""
    found = differences(before.input, after.input)
    return field_diffs({pointer: [old, new] for pointer, old, new in islice(found, DIFFERENCES_SHOWN)})


def _name(record: RoadmapStep) -> str:
    label = StepName(record.step).label if record.step in StepName.values else record.step
    return f"{label} {record.key}".strip()


def _shown(record: RoadmapStep) -> dict[str, Any]:
    return {
        "record": record,
        "name": _name(record),
        "number": record.retry + 1,
        "mark": outcome_badge(record.outcome),
        "took": length(record.milliseconds) if record.milliseconds else "",
        "error": RoadmapTask.error_in_words(record.error) if record.error else "",
        "url": step_url(record.run_id, record.pk),
    }
