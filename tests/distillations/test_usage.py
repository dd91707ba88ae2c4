"""Reset, repair, verify and backfill: what they count, beside whom, and what they leave."""

import threading
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command, execute_from_command_line
from django.db import connection, connections, transaction
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from access.models import AuditEvent
from databases import empty_database, url_of
from distillations import backfill, checkup, metrics, usage
from distillations.models import (
    Distillation,
    DistillationUsage,
    GeneratedArticle,
    GenerationTask,
    UsageCheck,
)
from distilled import article, at_once, damage, distilled, drift, slot, task, topics_of, used
from distilled import usage as counts
from processes import manage
from runs.errors import Conflict
from watch.findings import Up

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def drifted():
    """Two distillations, each of whose counters is wrong."""
    one, other = distilled(2, topics=3)
    used(one, times=3, topic=topics_of(one)[0])
    slot(task(), other)
    damage(
        f"UPDATE distillations SET usage_count = 7, reserved_count = 2, topic_count = 1 WHERE id = {one.pk}",
        f"DELETE FROM topics WHERE id = {topics_of(other)[2].pk}",
        f"UPDATE topics SET usage_count = 5 WHERE id = {topics_of(one)[1].pk}",
    )
    return one, other


# --- Verify and repair ---------------------------------------------------------------------------


def test_a_dry_run_says_what_differs_and_writes_nothing(drifted):
    one, _other = drifted
    repair = usage.repair_usage(actor="test", dry_run=True)
    assert repair.fixed == 0
    assert repair.details == [{"distillationId": one.pk, "oldCount": 7, "newCount": 3}]
    assert {(each.counter, each.old_count, each.new_count) for each in repair.drifts} == {
        ("usage_count", 7, 3), ("reserved_count", 2, 0), ("topic_count", 1, 3), ("topic_count", 3, 2),
        ("topic_usage_count", 5, 0),
    }  # fmt: skip
    assert len(drift()) == 5
    assert not AuditEvent.objects.exists()


def test_a_repair_sets_every_counter_to_its_rows_and_a_second_changes_nothing(drifted):
    assert usage.repair_usage(actor="test").fixed == 5
    assert drift() == []
    assert usage.repair_usage(actor="test").drifts == []
    assert AuditEvent.objects.get().after["fixed"] == 5


def test_the_check_is_kept_for_dashboard_metrics_and_doctor(drifted):
    assert len(usage.verify_usage()) == 5
    assert UsageCheck.objects.get().drifted == 5
    gauges = {family.name: family.samples for family in metrics.collect()}
    assert gauges["pressroom_usage_drift_rows"][0].value == 5
    (finding,) = checkup.examine(Up(database=True, redis=True))
    assert (finding.ok, finding.mend) == (False, "manage.py repair_usage")
    usage.repair_usage(actor="test")
    assert [each.ok for each in checkup.examine(Up(database=True, redis=True))] == [True]


def test_the_doctor_misses_checks_that_are_not_made():
    distilled(1)
    assert list(checkup.examine(Up(database=True, redis=True))) == [], "beat has an hour for the first one"
    schedule = PeriodicTask.objects.get(task=checkup.TASK)
    changed = schedule.date_changed
    PeriodicTask.objects.filter(pk=schedule.pk).update(date_changed=changed - timedelta(hours=4))
    (finding,) = checkup.examine(Up(database=True, redis=True))
    assert (finding.ok, finding.mend) == (False, "manage.py verify_usage")
    PeriodicTask.objects.filter(pk=schedule.pk).update(date_changed=changed)


def test_a_repair_waits_for_who_is_recording_and_counts_them(drifted):
    """It locks before it counts: the naive way, the other way round, would store what was true before."""
    one, _other = drifted
    recorded, go_on = threading.Event(), threading.Event()

    def record():
        with transaction.atomic():
            used(one)
            recorded.set()
            go_on.wait(20)
        connection.close()

    recorder = threading.Thread(target=record)
    recorder.start()
    recorded.wait(20)
    mender = threading.Thread(target=lambda: (usage.repair_usage(actor="test"), connection.close()))
    mender.start()
    mender.join(0.5)
    assert mender.is_alive(), "it waits for the lock"
    go_on.set()
    recorder.join()
    mender.join()
    assert counts(one) == [4]
    assert drift() == []


def test_repairs_resets_and_writers_at_once_leave_no_drift(drifted):
    one, other = drifted
    usage.repair_usage(actor="test")

    def write(source):
        return lambda: [used(source, topic=topics_of(source)[0]) for _ in range(8)]

    failures = at_once(
        write(one),
        write(other),
        lambda: [usage.repair_usage(actor="a") for _ in range(4)],
        lambda: [usage.reset_usage(one, actor="b") for _ in range(4)],
        lambda: [usage.reset_all_usage(actor="c") for _ in range(2)],
    )
    assert failures == [None] * 5
    assert drift() == []


# --- Reset ---------------------------------------------------------------------------------------


def test_a_reset_forgets_the_uses_of_one_and_leaves_its_articles():
    one, other = distilled(2)
    used(one, times=3, topic=topics_of(one)[0])
    used(other)
    assert usage.reset_usage(one, actor="test") == 3
    assert counts(one, other) == [0, 1]
    assert GeneratedArticle.objects.count() == 4
    one.refresh_from_db()
    assert one.usage_reset_at is not None
    assert drift() == []
    event = AuditEvent.objects.get()
    assert (event.action, event.before, event.object_id) == ("usage.reset", {"usageCount": 3}, str(one.pk))


def test_a_reset_works_on_drifted_counters_too(drifted):
    one, _other = drifted
    damage(f"UPDATE distillations SET usage_count = 1 WHERE id = {one.pk}")
    usage.reset_usage(one, actor="test")
    assert counts(one) == [0]
    usage.reset_all_usage(actor="test")
    assert drift() == []


def test_a_reset_of_all_refuses_when_there_are_other_uses_than_were_seen():
    one, other = distilled(2)
    used(one, times=2)
    used(other)
    with pytest.raises(Conflict) as refused:
        usage.reset_all_usage(expected_total=2, actor="test")
    assert (refused.value.slug, refused.value.extra) == ("uses-changed", {"total": 3})
    assert counts(one, other) == [2, 1]
    assert usage.reset_all_usage(expected_total=3, actor="test") == 3
    assert counts(one, other) == [0, 0]
    assert drift() == []


# --- Backfill ------------------------------------------------------------------------------------


def test_imported_articles_are_recorded_as_uses_and_a_repair_keeps_them():
    one, other = distilled(2)
    own_task = task("completed", generated_count=1)
    dated = timezone.now() - timedelta(days=30)
    for _ in range(2):
        article(None, one, topics_of(one)[0], created_at=dated)
    article(own_task, other)
    article(None, None)
    outcome = backfill.backfill_usage(actor="test")
    assert outcome == backfill.Backfill(created=3, without_distillation=1)
    assert counts(one, other) == [2, 1]
    imported = GenerationTask.objects.get(is_imported=True)
    assert (imported.status, imported.keyword, imported.generated_count) == ("completed", "imported articles", 2)
    assert set(GeneratedArticle.objects.filter(distillation=one).values_list("task", flat=True)) == {imported.pk}
    assert set(DistillationUsage.objects.filter(distillation=one).values_list("used_at", flat=True)) == {dated}
    assert usage.repair_usage(actor="test").drifts == []
    assert drift() == []


def test_it_may_be_repeated_and_goes_on_with_what_came_since():
    (one,) = distilled(1)
    article(None, one)
    backfill.backfill_usage(actor="test")
    article(None, one)
    assert backfill.backfill_usage(actor="test") == backfill.Backfill(created=1, already=1)
    assert counts(one) == [2]
    assert GenerationTask.objects.get().generated_count == 2


def test_what_was_written_here_and_what_is_older_than_a_reset_stays_forgotten():
    one, other = distilled(2)
    article(None, one, created_at=timezone.now() - timedelta(days=1))
    used(other)
    GeneratedArticle.objects.filter(distillation=other).update(generator_kind="rules")
    usage.reset_usage(one, actor="test")
    GenerationTask.objects.all().delete()
    assert backfill.backfill_usage(actor="test") == backfill.Backfill(before_reset=1, own=1)
    assert counts(one, other) == [0, 0]
    assert not GenerationTask.objects.exists()


# --- Commands ------------------------------------------------------------------------------------


def leaving(*arguments):
    with pytest.raises(SystemExit) as left:
        execute_from_command_line(["manage.py", *arguments])
    return left.value.code


def test_verify_leaves_with_1_on_drift_and_repair_mends_it(drifted, capsys):
    one, _other = drifted
    assert leaving("verify_usage") == 1
    assert f"usage_count {one.pk}: 7 → 3" in capsys.readouterr().out
    call_command("repair_usage", "--dry-run")
    assert len(drift()) == 5
    call_command("repair_usage")
    call_command("verify_usage")
    assert "Every counter equals its rows." in capsys.readouterr().out
    assert drift() == []


@pytest.mark.parametrize("arguments", [[], ["1", "--all"], ["--all"], ["x"], ["999999999"], ["9" * 30], ["²"]])
def test_a_reset_that_names_nothing_both_or_nobody_is_refused(arguments):
    (one,) = distilled(1)
    used(one)
    with pytest.raises(CommandError) as refused:
        call_command("reset_usage", *arguments)
    assert refused.value.returncode == 2
    assert counts(one) == [1]


def test_a_reset_by_command(capsys):
    one, other = distilled(2)
    used(one)
    used(other, times=2)
    call_command("reset_usage", str(one.pk))
    assert counts(one, other) == [0, 2]
    call_command("reset_usage", "--all", "--yes")
    assert counts(one, other) == [0, 0]
    assert capsys.readouterr().out == "1 uses were forgotten.\n2 uses were forgotten.\n"


# --- Migration -----------------------------------------------------------------------------------


@pytest.mark.long
def test_forward_back_and_forward_with_articles_then_backfill_then_repair_changes_nothing():
    with empty_database() as alias:
        url = url_of(alias)

        def migrate(*target):
            done = manage("migrate", *target, "--verbosity", "0", DATABASE_URL=url, timeout=200)
            assert done.returncode == 0, done.stderr

        migrate()
        with connections[alias].cursor() as cursor:

            def asked(query):
                cursor.execute(query)
                return cursor.fetchall()

            cursor.execute(
                """
                INSERT INTO distillations (keyword, provider) VALUES ('a', 'deepseek'), ('b', 'manual');
                INSERT INTO topics (distillation_id, question) SELECT id, keyword || '?' FROM distillations;
                INSERT INTO generation_tasks (status, progress, attempt, max_attempts, error, error_text, mode,
                                              requested_count, keyword)
                VALUES ('pending', 0, 0, 5, '', '', 'auto', 1, 'a');
                INSERT INTO distillations_generationslot (task_id, position, distillation_id, keyword)
                SELECT t.id, 1, d.id, d.keyword FROM generation_tasks t, distillations d WHERE d.keyword = 'a';
                INSERT INTO articles (distillation_id, keyword, title, content, provider)
                SELECT d.id, d.keyword, 't', 'c', 'deepseek' FROM distillations d, generate_series(1, 3);
                """
            )
            migrate("distillations", "0001")
            columns = "SELECT 1 FROM information_schema.columns WHERE column_name = 'usage_count'"
            assert asked(columns) == []
            cursor.execute("UPDATE distillations SET reserved_count = 9")
            assert asked("SELECT reserved_count, topic_count FROM distillations ORDER BY id") == [(1, 1), (0, 1)]
            migrate()
            assert asked("SELECT usage_count, load FROM distillations ORDER BY id") == [(0, 1), (0, 0)]
            assert asked("SELECT count(*) FROM articles") == [(6,)]
            said = manage("backfill_usage", DATABASE_URL=url).stdout
            assert said.startswith("6 uses recorded"), said
            assert manage("repair_usage", DATABASE_URL=url).stdout == "0 counters were repaired.\n"
            assert manage("verify_usage", DATABASE_URL=url).returncode == 0
            counted = asked("SELECT usage_count, reserved_count, topic_count, load FROM distillations ORDER BY id")
            assert counted == [(3, 1, 1, 4), (3, 0, 1, 3)]


def test_the_names_of_the_document_are_the_databases():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexname FROM pg_indexes WHERE tablename IN ('distillations', 'distillation_usage')"
            " UNION SELECT conname FROM pg_constraint WHERE conrelid = 'distillation_usage'::regclass"
        )
        names = {row[0] for row in cursor.fetchall()}
    assert names >= {
        "idx_distillations_usage_count", "idx_distillation_usage_distillation", "idx_distillation_usage_task",
        "idx_distillation_usage_article", "idx_distillation_usage_used_at", "unique_article_usage",
    }  # fmt: skip
    assert Distillation._meta.db_table == "distillations"
