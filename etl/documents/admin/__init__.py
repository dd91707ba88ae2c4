"""Screens of documents: tasks, projects, tables, rules and mounts."""

from etl.documents.admin import mounts, projects, rules, tables, tasks  # noqa: F401 - register by import
