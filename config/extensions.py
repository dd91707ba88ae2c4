"""Extensions of PostgreSQL, as operations of migrations."""

from typing import Any

from django.contrib.postgres.operations import TrigramExtension
from django.core.exceptions import ImproperlyConfigured
from django.db import ProgrammingError

INSUFFICIENT_PRIVILEGE = "42501"


class Trigrams(TrigramExtension):
    """Says in one line what is missing when the role may not create extensions.

    Migrating back leaves it: whoever else uses it would lose their indexes with it.
    """

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        try:
            super().database_forwards(app_label, schema_editor, from_state, to_state)
        except ProgrammingError as error:
            if getattr(error.__cause__, "sqlstate", None) != INSUFFICIENT_PRIVILEGE:
                raise
            raise ImproperlyConfigured(
                "The database role may not create the extension pg_trgm. "
                "Let an administrator of the database run: CREATE EXTENSION pg_trgm; then migrate again."
            ) from error

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        pass
