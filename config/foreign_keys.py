"""What happens to a row when the row it names is deleted, kept by the database itself.

Django 5.2 only emulates on_delete, so a DELETE in SQL would be refused or would leave the emulation's work undone.
"""

from typing import Any

from django.db.migrations.operations.base import Operation

ACTIONS = ("CASCADE", "SET NULL", "NO ACTION")


class OnDelete(Operation):
    """Give a foreign key that Django made its ON DELETE rule. Reversible: then the rule is Django's again, none."""

    reduces_to_sql = True
    reversible = True

    def __init__(self, model_name: str, field_name: str, action: str) -> None:
        assert action in ACTIONS, action
        self.model_name, self.field_name, self.action = model_name, field_name, action

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Nothing that Django's models know of."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        self._set(app_label, schema_editor, to_state, self.action)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        self._set(app_label, schema_editor, from_state, "NO ACTION")

    def _set(self, app_label: str, schema_editor: Any, state: Any, action: str) -> None:
        model = state.apps.get_model(app_label, self.model_name)
        field = model._meta.get_field(self.field_name)
        target = field.remote_field.model._meta
        quote = schema_editor.quote_name
        name = str(schema_editor._fk_constraint_name(model, field, "_fk_%(to_table)s_%(to_column)s"))
        rule = "" if action == "NO ACTION" else f" ON DELETE {action}"
        # constraints that Django makes for a new table wait until the end of its migration
        for statement in [each for each in schema_editor.deferred_sql if name in str(each)]:
            schema_editor.deferred_sql.remove(statement)
            schema_editor.execute(statement, params=None)
        aim = f"{quote(target.db_table)} ({quote(field.target_field.column)})"
        schema_editor.execute(
            f"ALTER TABLE {quote(model._meta.db_table)} DROP CONSTRAINT {name}, ADD CONSTRAINT {name}"
            f" FOREIGN KEY ({quote(field.column)}) REFERENCES {aim}{rule} DEFERRABLE INITIALLY DEFERRED"
        )

    def describe(self) -> str:
        return f"Let the database itself keep ON DELETE {self.action} of {self.model_name}.{self.field_name}"
