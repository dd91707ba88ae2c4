"""Addresses of the screens of this room."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.http import urlencode


def tasks_url(**query: Any) -> str:
    """The list of tasks, with a filter."""
    return _with("admin:roadmaps_roadmaptask_changelist", query)


def task_url(pk: Any) -> str:
    """The page of a task."""
    return reverse("admin:roadmaps_roadmaptask_change", args=[pk])


def steps_url(pk: Any, **query: Any) -> str:
    """What each step of a task was given and gave."""
    return _with("admin:roadmaps_roadmaptask_steps", query, pk)


def step_url(pk: Any, record: int) -> str:
    """One step of a task in one of its retries."""
    return reverse("admin:roadmaps_roadmaptask_step", args=[pk, record])


def roadmap_url(pk: str) -> str:
    """The page of a roadmap."""
    return reverse("admin:roadmaps_roadmap_change", args=[pk])


def concept_url(roadmap_id: str, concept_id: str, **query: Any) -> str:
    """The page of a concept."""
    return _with("admin:roadmaps_roadmap_concept", query, roadmap_id, concept_id)


def _with(name: str, query: dict[str, Any], *args: Any) -> str:
    address = reverse(name, args=args)
    return f"{address}?{urlencode(query)}" if query else address
