"""Screens of exports: doors that call services and say what happened."""

from exports.admin import articles, batches, desk, runs, templates  # noqa: F401 - they register by import
