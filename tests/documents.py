"""Projects, tables and completed tasks straight into their tables: for tests of what people do with results."""

import threading
from concurrent.futures import ThreadPoolExecutor

from django.db import connection

from etl.documents.models import ETLTask, Project, Table

# numbers that a float, a 64-bit integer or a rounding reader would spoil; as PostgreSQL prints them
EXACT = '{"price": 1.10, "big": 12345678901234567890123, "tiny": 0.000000000000000000010, "键~/": "值"}'


def project(owner, *members, name="Project"):
    """A project of `owner`."""
    made = Project.objects.create(name=name, owner=owner)
    made.members.set(members)
    return made


def table(of, data="{}", *, name="Table", version=0):
    """A table whose document is this JSON text, digit for digit."""
    made = Table.objects.create(project=of, name=name, version=version)
    with connection.cursor() as cursor:
        cursor.execute('UPDATE "table" SET data = %s::jsonb WHERE id = %s', [data, made.pk])
    return Table.objects.defer("data").get(pk=made.pk)


def task(of, output='{"a": 1}', *, filename="catalog.pdf", status="completed", by=None):
    """A task of a project, completed with this JSON text as its output unless it says otherwise."""
    final = status in ("completed", "failed", "cancelled")
    made = ETLTask.objects.create(
        project=of, filename=filename, media="pdf", file="1/source", sha256="0" * 64, size=1, status=status,
        requested_by=by or of.owner, finished_at="2026-01-01T00:00:00Z" if final else None,
        error="no-text" if status == "failed" else "", result={} if status == "completed" else None,
    )  # fmt: skip
    if status == "completed" and output is not None:
        give(made, output)
    return made


def give(of, output):
    """Another output for a task, as a retry would give it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE etl_task SET result = jsonb_build_object('output', %s::jsonb) WHERE id = %s", [output, of.pk]
        )


def document(of):
    """The table's document as PostgreSQL prints it."""
    with connection.cursor() as cursor:
        cursor.execute('SELECT data::text FROM "table" WHERE id = %s', [of.pk])
        return cursor.fetchone()[0]


def at(of, *path):
    """What stands at a path of the table's document, as text; None for nothing."""
    with connection.cursor() as cursor:
        cursor.execute('SELECT (data #> %s::text[])::text FROM "table" WHERE id = %s', [list(path), of.pk])
        return cursor.fetchone()[0]


def version(of):
    """The table's version now."""
    return Table.objects.values_list("version", flat=True).get(pk=of.pk)


def all_at_once(*deeds):
    """Run these side by side, each on a connection of its own; what each returned or raised."""
    together = threading.Barrier(len(deeds))

    def run(deed):
        try:
            together.wait()
            return deed()
        except Exception as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(deeds)) as pool:
        return list(pool.map(run, deeds))
