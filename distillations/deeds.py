"""How every verb of this room is done: in one transaction, retried, with what the database refuses put into words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django.db import IntegrityError, models, transaction
from django.utils.translation import gettext_lazy as _

from access.services import record
from runs.errors import Conflict
from runs.transactions import retried, sqlstate

T = TypeVar("T")

IDS_AUDITED = 100
CHECK_VIOLATION = "23514"


def record_all(model: type[models.Model], ids: list[int], *, actor: Any, action: str) -> None:
    """One event for the whole deed; about its object where there is just one."""
    if len(ids) == 1:
        record(actor=actor, action=action, target=model._default_manager.get(pk=ids[0]))
    elif ids:
        before = {"count": len(ids), "ids": ids[:IDS_AUDITED]}
        record(actor=actor, action=action, before=before, reference=(model._meta.label_lower, ""))


def delete_in_database(rows: models.QuerySet) -> None:
    """One DELETE, and what it entails is the database's: its ON DELETE rules and its counters.

    Django would read every row that hangs on these before it did the same.
    """
    rows._raw_delete(rows.db)  # type: ignore[attr-defined]


def in_transaction(work: Callable[[], T]) -> T:
    """atomic_retried() that also puts into words what the database says of drift."""

    def attempt() -> T:
        try:
            with transaction.atomic():
                return work()
        except IntegrityError as error:
            if sqlstate(error) == CHECK_VIOLATION and "has drifted" in str(error):
                message = _("A counter has drifted from the rows it counts; run repair.")
                raise Conflict("counter-drifted", message) from error
            raise

    return retried(attempt)
