"""Screens of distillations: doors that call services and say what happened."""

from distillations.admin import articles, distillations, materials, runs, tasks  # noqa: F401 - they register by import
