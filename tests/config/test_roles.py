"""Every process asks of the database what befits it, and no more."""

from contextlib import contextmanager

import psycopg
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from config.roles import role_of_process, session_settings
from processes import environment, python, settings_of


@contextmanager
def session(**variables):
    """A session as a process would open it in such an environment."""
    place = settings_of(**variables)["DATABASES"]["default"]
    database = connection.copy()
    database.settings_dict |= place
    try:
        with database.cursor() as cursor:
            yield cursor
    finally:
        database.close()


@pytest.mark.parametrize(
    ("arguments", "role"),
    [
        (["/srv/.venv/bin/gunicorn", "config.wsgi"], "web"),
        (["/srv/.venv/lib/gunicorn/__main__.py", "config.wsgi"], "web"),
        (["manage.py", "runserver"], "web"),
        (["/srv/.venv/lib/celery/__main__.py", "-A", "config.celery", "worker"], "worker"),
        (["/srv/.venv/bin/celery", "beat"], "worker"),
        (["manage.py", "etl_products", "--full"], "worker"),
        (["./manage.py", "prune"], "worker"),
        (["manage.py", "load_sample"], "worker"),
        (["manage.py", "migrate", "etl"], "migrate"),
        (["manage.py", "pgtrigger", "install"], "migrate"),
        (["-c"], "script"),
        ([], "script"),
    ],
)
def test_a_process_knows_what_it_is_by_its_command_line(arguments, role):
    assert role_of_process(arguments, {}) == role
    assert role_of_process(arguments, {"PRESSROOM_ROLE": "web"}) == "web"


@pytest.mark.parametrize(
    ("role", "lock", "statement", "idle"),
    [("web", 3, 15, 30), ("worker", 5, 120, 90), ("migrate", 2, 0, 90), ("script", 0, 0, 90)],
)
def test_the_session_has_the_limits_of_the_role(transactional_db, role, lock, statement, idle):
    limits = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout",
              "client_connection_check_interval")  # fmt: skip
    with session(PRESSROOM_ROLE=role, RUN_LEASE_SECONDS="90") as cursor:
        cursor.execute("SELECT name, setting::int FROM pg_settings WHERE name = ANY(%s)", [list(limits)])
        shown = dict(cursor.fetchall())
    assert shown == {
        "lock_timeout": lock * 1000,
        "statement_timeout": statement * 1000,
        "idle_in_transaction_session_timeout": idle * 1000,
        "client_connection_check_interval": 1000,
    }


def test_the_worker_s_idle_limit_is_its_lease():
    assert session_settings("worker", lease_seconds=3)["idle_in_transaction_session_timeout"] == 3000


def test_an_unknown_role_is_refused_in_one_line():
    with pytest.raises(ImproperlyConfigured, match="PRESSROOM_ROLE does not know 'emperor'"):
        settings_of(PRESSROOM_ROLE="emperor")


def test_behind_pgbouncer_the_options_are_left_out_and_other_options_of_the_url_stay(transactional_db):
    url = environment()["DATABASE_URL"] + "?application_name=ops&options=-c%20work_mem%3D5MB"
    for variables, lock_timeout in (({}, "3s"), ({"DB_SESSION_OPTIONS": "0"}, "0")):
        with session(DATABASE_URL=url, PRESSROOM_ROLE="web", **variables) as cursor:
            cursor.execute("SELECT current_setting('application_name'), current_setting('work_mem')")
            assert cursor.fetchone() == ("ops", "5MB")
            cursor.execute("SHOW lock_timeout")
            assert cursor.fetchone() == (lock_timeout,)


@pytest.fixture
def locked_products(transactional_db):
    """Somebody else holds all products."""
    with psycopg.connect(environment()["DATABASE_URL"]) as somebody:
        somebody.execute("LOCK TABLE products IN ACCESS EXCLUSIVE MODE")
        yield
        somebody.rollback()


@pytest.fixture
def limit(transactional_db):
    """limit(name, value) for the session of this test."""

    def set_to(name, value):
        with connection.cursor() as cursor:
            cursor.execute(f"SET {name} = '{value}'")

    yield set_to
    connection.close()


@pytest.mark.parametrize(
    ("name", "slug", "retry_after"), [("lock_timeout", "contention", "1"), ("statement_timeout", "too-slow", None)]
)
def test_a_request_that_is_cut_short_is_told_why(
    locked_products, limit, client_of, desk_of, viewer, name, slug, retry_after
):
    api, desk = client_of(viewer), desk_of(viewer)
    limit(name, "200ms")
    answer = api.get("/api/v1/etl/products")
    assert (answer.status_code, answer.json()["type"]) == (503, f"/problems/{slug}")
    assert answer.get("Retry-After") == retry_after
    page = desk.get("/admin/etl/product/", HTTP_ACCEPT_LANGUAGE="zh-hans")
    assert page.status_code == 503
    assert page.get("Retry-After") == retry_after
    assert {"contention": "并发冲突过多", "too-slow": "查询耗时过长"}[slug] in page.content.decode()


def test_a_transaction_that_waits_for_a_lock_is_retried_and_then_given_up(locked_products, limit, settings):
    from etl.models import Product
    from runs.errors import Contention
    from runs.transactions import atomic_retried

    settings.DB_RETRY_ATTEMPTS = 2
    limit("lock_timeout", "100ms")
    attempts = []
    with pytest.raises(Contention):
        atomic_retried(lambda: attempts.append(1) or Product.objects.count())
    assert len(attempts) == 3


@pytest.mark.long
def test_a_concurrent_index_waits_for_an_old_transaction_though_the_migration_would_not(transactional_db):
    """With lock_timeout it would give up and leave an invalid index."""
    migrate = """
import threading
import psycopg
from django.db import connection
from watch.patience import be_patient_with_concurrent_indexes

be_patient_with_concurrent_indexes(sender=None, using="default")
old = psycopg.connect(URL)
old.execute("UPDATE django_migrations SET name = name")  # an old transaction that writes
threading.Timer(1.5, old.rollback).start()
with connection.cursor() as cursor:
    cursor.execute("SET lock_timeout = '300ms'")
    cursor.execute("CREATE INDEX CONCURRENTLY patience ON django_migrations (name)")
    cursor.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = 'patience'::regclass")
    print(cursor.fetchone()[0])
    cursor.execute("DROP INDEX CONCURRENTLY patience")
"""
    said = python(f"URL = {environment()['DATABASE_URL']!r}\n{migrate}")
    assert said.stdout.strip() == "True", said.stderr
