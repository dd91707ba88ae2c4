"""What tests look at: the outcome of product sync as plain values, and the physical rows of tables."""

from datetime import UTC, datetime

from django.db import connection

from etl.models import Product, ProductChange, RejectedRow

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def counts(run):
    """What became of the rows of a run."""
    names = ("read", "created", "updated", "unchanged", "superseded", "rejected")
    return {name: getattr(run, name) for name in names if getattr(run, name)}


def products():
    """sku → (name, price as text) of everything not deleted."""
    return {p.sku: (p.name, str(p.price)) for p in Product.objects.listed()}


def log():
    """The change log in order, as (type, sku)."""
    return list(ProductChange.objects.order_by("id").values_list("change_type", "sku"))


def open_rejects():
    """sku → reason of every unresolved reject."""
    return dict(RejectedRow.objects.unresolved().values_list("sku", "reason"))


def physical(*tables):
    """Every row version of these tables; equal before and after means nothing was written."""
    with connection.cursor() as cursor:
        rows = []
        for table in tables:
            name = table if table.startswith('"') else f'"{table}"'  # one of ours is called "table"
            cursor.execute(f"SELECT %s, ctid::text, xmin::text FROM {name} ORDER BY ctid", [table])
            rows += cursor.fetchall()
    return rows


def everything():
    """Every row version of every table of the database."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        tables = [row[0] for row in cursor.fetchall()]
    return physical(*[f'"{table}"' for table in tables])
