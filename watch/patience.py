"""Migrations wait only briefly for a lock, except where waiting harms nobody."""

from collections.abc import Callable
from typing import Any

from django.db import connections


def be_patient_with_concurrent_indexes(sender: Any, using: str, **kwargs: Any) -> None:
    """pre_migrate: CREATE and DROP INDEX CONCURRENTLY may wait for as long as it takes.

    They wait for every older transaction to end and hold up nobody meanwhile; cut by lock_timeout they
    would leave an invalid index behind.
    """
    wrappers = connections[using].execute_wrappers
    if _without_lock_timeout not in wrappers:
        wrappers.append(_without_lock_timeout)


def _without_lock_timeout(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any) -> Any:
    if not (isinstance(sql, str) and "INDEX CONCURRENTLY" in sql.upper()):
        return execute(sql, params, many, context)
    execute("SET lock_timeout = 0", None, False, context)
    try:
        return execute(sql, params, many, context)
    finally:
        execute("RESET lock_timeout", None, False, context)  # to what the session began with
