"""A source that goes away: before a run, in the middle of it, and for good."""

import json

import pytest
from django.db.models import F
from django.urls import reverse

from etl import tasks
from etl.models import ProductSyncRun
from etl.products import services, sync
from foreign_servers import create_table, good, insert
from observed import NOON, counts, log
from processes import Worker, manage, manage_here, settings_of, start_manage, wait_until
from runs import reaper
from runs.querysets import ClockTimestamp, database_now

ROWS = 12


@pytest.fixture
def filled(server):
    create_table(server)
    insert(server, [(n, good(str(n)), NOON) for n in range(1, ROWS + 1)])
    return server


def start(on_batch=sync.ignore, **options):
    run = services.start_sync_here(services.SyncOptions(batch_size=2, **options), actor="test")
    return go_on(run, on_batch)


def go_on(run, on_batch=sync.ignore):
    sync.run_product_sync(run.pk, on_batch=on_batch)
    run.refresh_from_db()
    return run


def after(batches, act):
    """A watcher of the run that acts once."""
    done = []

    def on_batch(run):
        if run.batches == batches and not done:
            done.append(act())

    return on_batch


@pytest.mark.long
def test_a_command_that_cannot_reach_it_says_so_in_one_line(server, wire, read_from):
    wire.cut()
    read_from(server, port=wire.port)
    tried = [manage("etl_products", STAGING_DATABASE_URL=server.url(wire.port))]
    tried += [manage_here("etl_products", *more) for more in (["--dry-run"], ["--json"])]
    for done in tried:
        assert (done.returncode, len(done.stderr.strip().splitlines())) == (2, 1), done.stderr
        assert "The source database cannot be reached" in done.stderr
    assert not ProductSyncRun.objects.exists()


def test_the_api_says_that_it_cannot_be_reached(server, wire, read_from, operator, client_of):
    wire.cut()
    read_from(server, port=wire.port)
    answer = client_of(operator).post("/api/v1/etl/product-runs", {})
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/source-unreachable")
    assert "cannot be reached" in answer.json()["detail"]
    assert int(answer.headers["Retry-After"]) > 0


def test_the_admin_says_that_it_cannot_be_reached(server, wire, read_from, operator, desk_of):
    wire.cut()
    read_from(server, port=wire.port)
    page = desk_of(operator).post(reverse("admin:etl_productsyncrun_do_run_now"), follow=True)
    assert "The source database cannot be reached" in page.content.decode()
    assert not ProductSyncRun.objects.exists()


def test_a_scheduled_start_that_cannot_reach_it_is_no_crash(server, wire, read_from):
    wire.cut()
    read_from(server, port=wire.port)
    tasks.run_product_sync()
    assert not ProductSyncRun.objects.exists()


def test_a_session_that_is_killed_is_opened_again_and_nobody_waits(filled, read_from):
    read_from(filled)
    run = start(after(2, filled.kill_sessions))
    assert (run.status, counts(run)) == ("completed", {"read": ROWS, "created": ROWS})
    assert len(log()) == ROWS


def read_by(batches):
    """How many rows may be read when the source goes away after so many batches: one page may be read ahead."""
    return (2 * batches, 2 * batches + 2)


def test_a_run_waits_while_the_source_is_away_and_goes_on_where_it_was(filled, wire, read_from):
    read_from(filled, port=wire.port)
    run = start(after(2, wire.cut))
    assert (run.status, run.error) == ("pending", "source-unreachable")
    assert run.read in read_by(2)
    assert "The source database cannot be reached" in run.error_text
    assert run.not_before > database_now()
    assert go_on(run).read in read_by(2)  # not before its time
    wire.mend()
    due(run)
    go_on(run)
    assert (run.status, run.error, run.error_text) == ("completed", "", "")
    assert counts(run) == {"read": ROWS, "created": ROWS}
    assert len(log()) == ROWS


def due(run):
    ProductSyncRun.objects.filter(pk=run.pk).update(not_before=ClockTimestamp())


def test_a_run_whose_source_stays_away_waits_longer_each_time_and_fails_at_its_cap(filled, wire, read_from):
    read_from(filled, port=wire.port)
    run = start(after(1, wire.cut))
    pauses = []
    while run.is_open:
        pauses.append((run.not_before - database_now()).total_seconds())
        due(run)
        go_on(run)
    assert len(pauses) == run.max_attempts
    assert all(pause > 1 for pause in pauses)
    assert pauses[1:] == sorted(pauses[1:])
    assert pauses[-1] > 100
    assert (run.status, run.error) == ("failed", "source-unreachable")
    assert "cannot be reached" in run.error_text
    assert run.read == run.created
    assert run.read in read_by(1)


def test_a_dry_run_waits_as_well(filled, wire, read_from):
    read_from(filled, port=wire.port)
    run = start(after(1, wire.cut), dry_run=True)
    assert (run.status, run.error) == ("pending", "source-unreachable")
    wire.mend()
    due(run)
    assert go_on(run).status == "completed"
    assert counts(run) == {"read": ROWS, "created": ROWS}


def test_a_server_that_never_answers_is_given_up(filled, wire, read_from):
    read_from(filled, port=wire.port, seconds=0.5)
    run = start(after(2, wire.freeze))
    assert (run.status, run.error) == ("pending", "source-unreachable")
    assert run.read in read_by(2)
    assert "no answer within 0.5 s" in run.error_text


def test_whoever_starts_it_again_does_not_wait_for_the_pause(filled, wire, read_from):
    read_from(filled, port=wire.port)
    run = start(after(1, wire.cut))
    wire.mend()
    again = start()
    assert (again.pk, again.status, again.read) == (run.pk, "completed", ROWS)


@pytest.mark.long
def test_a_command_that_loses_it_says_that_the_run_waits(filled, wire):
    insert(filled, [(100 + n, good(f"more {n}"), NOON) for n in range(120)])
    running = start_manage("etl_products", "--limit", "1", STAGING_DATABASE_URL=filled.url(wire.port))
    wait_until(lambda: ProductSyncRun.objects.filter(batches__gt=3).exists())
    wire.cut()
    _out, errors = running.communicate(timeout=60)
    assert (running.returncode, len(errors.strip().splitlines())) == (1, 1), errors
    assert "waits in the queue" in errors
    wire.mend()
    done = manage("etl_products", "--limit", "1", "--json", STAGING_DATABASE_URL=filled.url(wire.port))
    assert json.loads(done.stdout)["read"] == ROWS + 120
    assert len(log()) == ROWS + 120


def test_a_structure_that_changes_meanwhile_fails_the_run_at_once(filled, read_from):
    read_from(filled)
    run = start(after(2, lambda: filled.execute("ALTER TABLE products_staging DROP COLUMN price")))
    assert (run.status, run.error) == ("failed", "source-unusable")
    assert run.read in read_by(2)
    assert "price" in run.error_text


def test_a_password_is_in_no_message(server, settings):
    url = server.url(1).replace("@", ":hidden-word@", 1)
    settings.STAGING = settings_of(STAGING_DATABASE_URL=url)["STAGING"]
    done = manage_here("etl_products")
    assert done.returncode == 2
    assert "hidden-word" not in done.stderr + done.stdout


def test_no_session_is_left_open(filled, read_from):
    read_from(filled)
    start()
    services.request_sync(services.SyncOptions(), actor="test")
    table, column = ("processlist", "db") if filled.engine == "mysql" else ("pg_stat_activity", "datname")
    schema = "information_schema." if filled.engine == "mysql" else ""
    counted = f"SELECT count(*) FROM {schema}{table} WHERE {column} = %s"
    wait_until(lambda: filled.execute(counted, [filled.database])[0][0] == 1, what="only our own session")


@pytest.mark.long
@pytest.mark.faults
@pytest.mark.parametrize("server", ["postgresql", pytest.param("mariadb", marks=pytest.mark.long)], indirect=True)
def test_workers_and_reaper_bring_it_to_its_end_once_the_source_is_back(filled, wire, read_from):
    insert(filled, [(100 + n, good(f"more {n}"), NOON) for n in range(100)])
    read_from(filled, port=wire.port)
    run = services.request_sync(services.SyncOptions(batch_size=1), actor="test")
    with Worker(
        "etl", STAGING_DATABASE_URL=filled.url(wire.port), STAGING_TIME_ZONE="Asia/Shanghai", REAPER_SECONDS="1"
    ):
        wait_until(lambda: reaper.reap() and ProductSyncRun.objects.filter(batches__gt=3).exists())
        wire.cut()
        wait_until(lambda: ProductSyncRun.objects.filter(status="pending", error="source-unreachable").exists())
        wire.mend()
        due(run)
        wait_until(
            lambda: (
                reaper.reap() and ProductSyncRun.objects.filter(status="completed", read=F("rows_expected")).exists()
            ),
            timeout=90,
        )
    run.refresh_from_db()
    assert (run.status, run.error, run.created) == ("completed", "", ROWS + 100)
    assert len(log()) == ROWS + 100
