"""Probes answer anybody, tell what stands in the way, and tell no secrets."""

from typing import Any

import pytest
from django.db import connection

from desk import health
from runs.workers import note_sign_of_life


def test_healthz_answers_without_a_database(client: Any) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert "no-store" in answer["Cache-Control"]


def checks_of(answer: Any) -> dict[str, dict[str, Any]]:
    return {check["name"]: check for check in answer.json()["checks"]}


@pytest.mark.django_db
def test_readyz_names_each_check_and_is_unavailable_without_a_worker(client: Any) -> None:
    answer = client.get("/readyz")
    checks = checks_of(answer)
    assert answer.status_code == 503
    assert [name for name, check in checks.items() if check["ok"]] == ["database", "redis", "migrations"]
    assert checks["workers"]["detail"] == "no heartbeat"


@pytest.mark.django_db
def test_readyz_is_ready_once_a_worker_gave_a_sign_of_life(client: Any) -> None:
    note_sign_of_life("celery@here", ["default"])
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert checks_of(answer)["workers"] == {"name": "workers", "ok": True, "detail": "celery@here"}


@pytest.mark.django_db
def test_readyz_reports_redis_down_and_keeps_its_address_to_itself(client: Any, settings: Any) -> None:
    settings.REDIS_URL = "redis://:secret@127.0.0.1:1/0"
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert not checks_of(answer)["redis"]["ok"]
    assert "secret" not in answer.content.decode()
    assert "127.0.0.1" not in answer.content.decode()


@pytest.mark.django_db
def test_readyz_counts_migrations_that_are_not_applied(client: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'sessions' AND name = '0001_initial'")
    migrations = checks_of(client.get("/readyz"))["migrations"]
    assert (migrations["ok"], migrations["detail"]) == (False, "1 unapplied")


@pytest.mark.django_db
def test_probes_refuse_to_change_anything(client: Any) -> None:
    assert client.post("/healthz").status_code == 405
    assert client.post("/readyz").status_code == 405


@pytest.mark.django_db
def test_every_probe_is_run_even_after_one_failed(settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert [check.name for check in health.readiness()] == ["database", "redis", "migrations", "workers"]
