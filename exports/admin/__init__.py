"""Screens of exports: doors that call services and say what happened."""

<<<<<<< HEAD
from exports.admin import batches, desk, runs, templates  # noqa: F401 - they register by import
=======
from exports.admin import articles, runs  # noqa: F401 - they register by import
>>>>>>> ex-api
