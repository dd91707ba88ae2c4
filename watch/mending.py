"""Runs the statements the doctor proposed for the schema: indexes, constraints, sequences."""

from collections.abc import Iterator

from django.db import Error, connection

from access.services import Actor, record
from watch.findings import Finding, in_one_line


def mend(found: list[Finding], *, actor: Actor) -> Iterator[tuple[str, str]]:
    """Run each finding's statements, on record; yields (statement, why it failed or "").

    A finding whose statement fails is left as it is, and the next one is tried.
    """
    for finding in found:
        for statement in finding.sql:
            failure = _run(statement)
            yield statement, failure
            if failure:
                break
            record(actor=actor, action="schema.mended", after={"problem": finding.text, "statement": statement})


def _run(statement: str) -> str:
    waits_harmlessly = "CONCURRENTLY" in statement
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")
            cursor.execute(f"SET lock_timeout = '{0 if waits_harmlessly else 2000}'")
            cursor.execute(statement)
    except Error as error:
        return in_one_line(error)
    return ""
