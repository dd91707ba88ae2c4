"""manage.py etl_products and etl_watermark as a shell sees them."""

import json
import signal
from datetime import timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db import connection

from access.models import AuditEvent
from etl.models import ProductSyncRun, StagingProduct, Watermark
from etl.products import services
from observed import NOON, log
from processes import manage, manage_here, settings_of, start_manage, wait_until

pytestmark = pytest.mark.django_db(transaction=True)

KEYS = [
    "runId", "status", "dryRun", "read", "created", "updated", "unchanged", "superseded", "rejected", "deleted",
    "batches", "watermarkBefore", "watermarkAfter", "seconds", "rowsPerSecond",
]  # fmt: skip


def stage(count=3):
    StagingProduct.objects.bulk_create(
        StagingProduct(style_brand_no="B", style_no=str(n), price="1", src_updated_at=NOON + timedelta(seconds=n))
        for n in range(count)
    )


def exit_code(*arguments):
    """The exit code of manage.py run inside this process, which spares a second of start-up."""
    with pytest.raises(SystemExit) as leaving:
        execute_from_command_line(["manage.py", *arguments])
    return leaving.value.code


def one_line(text):
    """The only line of an error; no traceback, no second line."""
    lines = text.strip().splitlines()
    assert len(lines) == 1, text
    return lines[0]


def test_json_is_one_object_with_the_promised_keys():
    stage()
    done = manage("etl_products", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    assert list(report) == KEYS
    assert (report["status"], report["read"], report["created"], report["dryRun"]) == ("completed", 3, 3, False)
    assert report["watermarkBefore"] is None
    assert report["watermarkAfter"]["at"] == (NOON + timedelta(seconds=2)).isoformat()


def test_a_dry_run_has_no_run_id_and_shows_differences():
    stage()
    report = json.loads(manage_here("etl_products", "--json", "--dry-run").stdout)
    assert (report["runId"], report["dryRun"], report["created"]) == (None, True, 3)
    assert [each["sku"] for each in report["differences"]] == ["0", "1", "2"]
    assert log() == []


def test_without_json_it_speaks_to_people():
    stage()
    done = manage_here("etl_products", "--limit", "2")
    assert done.returncode == 0
    assert "created  3" in done.stdout
    assert "{" not in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["--limit", "0"], ["--limit", "-7"], ["--limit", "many"], ["--limit", "99999999999"], ["--lookback", "soon"],
        ["--lookback", "-5"], ["--max-batches", "0"], ["--max-rejects", "-1"], ["--fast"], ["extra"],
    ],
)  # fmt: skip
def test_a_wrong_argument_is_named_and_starts_nothing(arguments, capsys):
    assert exit_code("etl_products", *arguments) == 2
    assert arguments[-1] in capsys.readouterr().err
    assert not ProductSyncRun.objects.exists()


def test_a_second_start_is_refused_with_its_own_exit_code():
    services.request_sync(services.SyncOptions(batch_size=9), actor="test")
    done = manage_here("etl_products")
    assert done.returncode == 3
    assert "already running" in one_line(done.stderr)


@pytest.mark.long
def test_of_two_starts_in_the_same_instant_one_is_refused():
    stage(2_000)
    both = [start_manage("etl_products", "--json", "--limit", "5") for _ in range(2)]
    for process in both:
        process.wait(timeout=60)
    assert sorted(process.returncode for process in both) == [0, 3]
    assert len(log()) == 2_000


def test_a_run_that_fails_exits_with_one():
    stage()
    StagingProduct.objects.update(price="x")
    done = manage("etl_products", "--max-rejects", "1", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"] == "too-many-rejects"
    assert "More rows were rejected than allowed" in one_line(done.stderr)


@pytest.mark.long
def test_the_watermark_is_shown_and_rewound():
    assert "No source has been read yet" in manage("etl_watermark", "show").stdout
    stage()
    manage("etl_products")
    (shown,) = json.loads(manage("etl_watermark", "show", "--json").stdout)
    assert shown["source"] == "products_staging"
    done = manage("etl_watermark", "rewind", "--to", "2026-01-01", "--reason", "feed repaired")
    assert done.returncode == 0
    assert "2025-12-31T16:00" in manage("etl_watermark", "show").stdout  # midnight in Shanghai


@pytest.mark.parametrize(
    "arguments",
    [
        ["rewind", "--to", "yesterday", "--reason", "x"], ["rewind", "--to", "2026-02-30", "--reason", "x"],
        ["rewind", "--to", "2026-01-01"], ["rewind", "--to", "2026-01-01", "--reason", " "],
        ["rewind", "--to", "2999-01-01", "--reason", "x"], ["sideways"], [],
    ],
)  # fmt: skip
def test_a_wrong_rewind_is_refused(arguments, capsys):
    Watermark.objects.create(table_name="products_staging", last_processed_at=NOON, last_processed_id=7)
    assert exit_code("etl_watermark", *arguments) == 2
    assert capsys.readouterr().err.strip()
    assert Watermark.objects.position_of("products_staging") == (NOON, 7)


def test_a_database_that_cannot_be_reached_is_one_line_and_exit_code_two():
    done = manage("etl_products", DATABASE_URL="postgresql://nobody@127.0.0.1:1/nothing")
    assert done.returncode == 2
    assert "refused" in one_line(done.stderr)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("DATABASE_URL", "mysql://root@127.0.0.1/test", "PostgreSQL"),
        ("DATABASE_URL", "nonsense", "must name a PostgreSQL database"),
        ("DATABASE_URL", "postgresql://nobody@127.0.0.1:port/x", "DATABASE_URL"),
        ("DATABASE_URL", "postgresql://[", "DATABASE_URL"),
        ("RUN_LEASE_SECONDS", "long", "RUN_LEASE_SECONDS"),
        ("RUN_LEASE_SECONDS", "0", "RUN_LEASE_SECONDS"),
        ("REAPER_SECONDS", "-5", "REAPER_SECONDS"),
        ("CONN_MAX_AGE", "x", "CONN_MAX_AGE"),
        ("TIME_ZONE", "Mars/Base", "TIME_ZONE"),
        ("LANGUAGE_CODE", "xx", "LANGUAGE_CODE"),
        ("LOG_LEVEL", "LOUD", "LOG_LEVEL"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(name, value, says):
    with pytest.raises(ImproperlyConfigured, match=says) as refused:
        settings_of(**{name: value})
    assert one_line(str(refused.value))


def test_such_a_setting_is_one_line_and_exit_code_two():
    done = manage("check", LANGUAGE_CODE="xx")
    assert done.returncode == 2
    assert "LANGUAGE_CODE" in one_line(done.stderr)


def source_is_being_read():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND query LIKE '%style_brand_no%'"
        )
        return cursor.fetchone()[0]


@pytest.mark.long
@pytest.mark.parametrize(("dry", "code"), [([], 130), (["--dry-run"], 130)])
def test_ctrl_c_is_one_line_and_leaves_no_open_run(dry, code):
    stage(5_000)
    running = start_manage("etl_products", "--limit", "1", *dry)
    # a dry run has no row to be seen by
    wait_until(source_is_being_read if dry else lambda: ProductSyncRun.objects.filter(batches__gt=3).exists())
    running.send_signal(signal.SIGINT)
    _out, errors = running.communicate(timeout=60)
    assert running.returncode == code, errors
    assert one_line(errors)
    assert not ProductSyncRun.objects.open().exists()
    assert AuditEvent.objects.filter(action="productsyncrun.cancelled", actor_name="command").exists() != bool(dry)


def test_a_missing_database_url_is_named():
    done = manage("etl_products", DATABASE_URL="", DEBUG="0")
    assert done.returncode == 2
    assert "DATABASE_URL" in one_line(done.stderr)
