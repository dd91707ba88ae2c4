"""Screens of roadmaps: doors that call services and say what happened."""

from roadmaps.admin import roadmaps, tasks  # noqa: F401 - they register by import
