"""Steps: what is made is kept with its effects, and made again only when it has to be."""

import threading
import time

import pytest
from django.db import OperationalError, connection

from etl.models import DocumentStep, ETLTask
from runs.errors import Contention, LeaseLost, Outage, RunFailed
from runs.steps import Done
from stepping import NAMES, a_task, claimed, leave_row, rows, work_through

pytestmark = pytest.mark.django_db(transaction=True)


class Counted:
    """Work that counts how often it was done."""

    def __init__(self, output="made", tokens=None):
        self.times, self.done = 0, Done(output, tokens)

    def __call__(self):
        self.times += 1
        return self.done


def again(task):
    """The same task, tried again by a person."""
    assert ETLTask.objects.reopen(task.pk, of=("failed", "cancelled", "completed"))


def outcomes(task):
    return list(DocumentStep.objects.of(task).in_order().values_list("retry", "step", "outcome"))


def test_a_step_is_kept_with_its_effects():
    task, work = a_task(), Counted({"a": 1}, tokens=12)
    lease, steps = claimed(task)
    with lease:
        assert steps.do("first", inputs=[1], work=work, store=leave_row("first")) == {"a": 1}
        record = DocumentStep.objects.get()
        assert (record.output, record.tokens, record.outcome, record.attempts) == ({"a": 1}, 12, "created", 1)
        assert rows() == ["first"]


def test_a_finished_step_does_not_run_again_in_the_next_attempt():
    task, work = a_task(), Counted()
    for _attempt in range(2):
        lease, steps = claimed(task)
        with lease:
            assert steps.do("first", inputs=[1], work=work, store=leave_row("first")) == "made"
            lease.release()
    assert (work.times, rows()) == (1, ["first"])


def test_another_input_runs_the_step_again_and_what_hangs_on_its_output():
    task, first, second = a_task(), Counted("A"), Counted("B")
    lease, steps = claimed(task)
    with lease:
        steps.do("second", inputs=[steps.do("first", inputs=["x"], work=first)], work=second)
        lease.release()
    first.done = Done("A2")
    lease, steps = claimed(task)
    with lease:
        steps.do("second", inputs=[steps.do("first", inputs=["y"], work=first)], work=second)
    assert (first.times, second.times) == (2, 2)


def test_what_a_kept_output_means_is_stored_again_where_it_is_gone():
    task, work = a_task(), Counted("made")
    for is_there in (True, True, False):
        lease, steps = claimed(task)
        with lease:
            kept = steps.do(
                "first", inputs=[1], work=work, store=leave_row("first"), is_there=lambda there=is_there: there
            )
            assert kept == "made"
            lease.release()
    assert (work.times, rows()) == (1, ["first", "first"])
    assert outcomes(task) == [(0, "first", "created")]


def test_what_is_stored_again_by_who_lost_the_run_is_not():
    task = a_task()
    lease, steps = claimed(task)
    with lease:
        steps.do("first", inputs=[1], work=Counted(), store=leave_row("first"))
        ETLTask.objects.cancel(task.pk)
        with pytest.raises(LeaseLost):
            steps.do("first", inputs=[1], work=Counted(), store=leave_row("first"), is_there=lambda: False)
    assert rows() == ["first"]


def test_the_last_attempt_says_on_the_run_what_it_began_with_until_that_is_done():
    task = a_task(attempt=4)
    lease, steps = claimed(task)
    said = []

    def look():
        said.append(ETLTask.objects.values_list("attempt", "error_text").get())
        return Done("made")

    with lease:
        for name in ("first", "second"):
            steps.do(name, inputs=[1], key="k", work=look)
        lease.release()
    assert said == [(5, "first k"), (0, "")]


def test_the_order_of_keys_in_an_input_does_not_matter():
    task, work = a_task(), Counted()
    lease, steps = claimed(task)
    with lease:
        steps.do("first", inputs={"a": 1, "b": 2}, work=work)
        steps.do("first", inputs={"b": 2, "a": 1}, work=work)
    assert work.times == 1


@pytest.mark.parametrize("number", [1e22, 1e-7, -0.0, 1.5e300])
def test_an_output_is_the_same_whether_just_made_or_read_again(number):
    """PostgreSQL prints numbers in its own way; what hangs on them would run a second time."""
    task, second = a_task(), Counted()
    for _attempt in range(2):
        lease, steps = claimed(task)
        with lease:
            steps.do("second", inputs=steps.do("first", inputs=[], work=Counted({"n": number})), work=second)
            lease.release()
    assert second.times == 1


def test_what_a_failure_took_the_place_of_is_not_used_again():
    task, again_made = a_task(), Counted("again")

    def fails():
        raise RunFailed("needs_ocr")

    for _attempt in range(2):
        lease, steps = claimed(task)
        with lease:
            assert steps.do("first", inputs=1, work=again_made) == "again"
            with pytest.raises(RunFailed):
                steps.do("first", inputs=2, work=fails)
            assert steps.do("first", inputs=1, work=again_made) == "again"
            lease.release()
    assert again_made.times == 3


def test_a_failed_step_says_why_and_runs_again_when_a_person_retries():
    task, good = a_task(), Counted()

    def fails():
        raise RunFailed("needs_ocr", "page 2")

    lease, steps = claimed(task)
    with lease:
        steps.do("first", inputs=[], work=good)
        steps.do("second", inputs=[], work=fails)
    task.refresh_from_db()
    assert (task.status, task.error) == ("failed", "needs_ocr")
    again(task)
    lease, steps = claimed(task)
    with lease:
        steps.do("first", inputs=[], work=good)
        steps.do("second", inputs=[], work=Counted())
    assert good.times == 1
    assert outcomes(task) == [
        (0, "first", "done"),
        (0, "second", "failed"),
        (1, "first", "reused"),
        (1, "second", "done"),
    ]
    assert DocumentStep.objects.get(retry=0, step="second").error_text == "page 2"


def test_a_retry_clears_what_the_end_left():
    task = a_task()
    lease, _steps = claimed(task)
    with lease:
        raise RunFailed("needs_ocr", "page 2")
    again(task)
    task.refresh_from_db()
    assert (task.status, task.error, task.error_text, task.finished_at, task.started_at) == (
        "pending",
        "",
        "",
        None,
        None,
    )
    assert (task.retries, task.attempt, task.progress) == (1, 0, 0)


@pytest.mark.parametrize("status", ["pending", "mineru_parsing"])
def test_an_open_run_is_not_opened_again(status):
    task = a_task()
    if status != "pending":
        claimed(task)
    assert not ETLTask.objects.reopen(task.pk, of=("failed", "cancelled", "completed"))


def test_a_void_step_is_made_anew():
    task, work = a_task(), Counted()
    lease, steps = claimed(task)
    with lease:
        steps.do("first", inputs=[], work=work)
    DocumentStep.objects.of(task).make_void()
    again(task)
    lease, steps = claimed(task)
    with lease:
        steps.do("first", inputs=[], work=work)
    assert work.times == 2


def test_a_renamed_step_is_refused_and_never_taken_for_done():
    task = a_task()
    lease, steps = claimed(task)
    with lease:
        steps.do("first", inputs=[], work=Counted())
        lease.release()
    with pytest.raises(RunFailed) as refusal:
        claimed(task, names=("begin", "second"))
    assert (refusal.value.slug, refusal.value.text) == ("unknown-step", "first")


def test_effects_that_fail_leave_no_record():
    task = a_task()
    lease, steps = claimed(task)

    def store(output):
        leave_row("first")(output)
        raise RuntimeError

    with pytest.raises(RuntimeError), lease:
        steps.do("first", inputs=[], work=Counted(), store=store)
    assert (rows(), DocumentStep.objects.count()) == ([], 0)


def test_who_lost_the_lease_writes_neither_effects_nor_record():
    task = a_task()
    lease, steps = claimed(task)
    with lease:
        ETLTask.objects.filter(pk=task.pk).update(lease_token=lease.token + 1)
        steps.do("first", inputs=[], work=Counted(), store=leave_row("first"))
    assert (rows(), DocumentStep.objects.count()) == ([], 0)


def test_attempts_count_the_claims_that_a_step_took():
    task = a_task()
    for _lost in range(2):
        lease, steps = claimed(task)
        with lease:
            lease.release()
    lease, steps = claimed(task)
    with lease:
        steps.do("first", inputs=[], work=Counted())
        steps.do("second", inputs=[], work=Counted())
    assert list(DocumentStep.objects.in_order().values_list("attempts", flat=True)) == [3, 1]


def test_many_of_one_step_run_side_by_side_and_one_failure_stops_no_other():
    task, together = a_task(), threading.Barrier(3, timeout=10)
    lease, steps = claimed(task)

    def work(key):
        together.wait()
        if key == "b":
            raise RunFailed("needs_ocr", key)
        return Done(key.upper())

    with lease:
        made = steps.do_each(
            "first",
            {
                key: lambda key=key: steps.do(
                    "first", key=key, inputs=key, work=lambda: work(key), store=leave_row(key)
                )
                for key in "abc"
            },
            side_by_side=3,
        )
    assert (made["a"], made["c"], rows()) == ("A", "C", ["a", "c"])
    assert made["b"].slug == "needs_ocr"


class Away(Outage):
    slug = "parser-away"


@pytest.mark.parametrize("trouble", [Away("gone"), LeaseLost()])
def test_what_is_no_fault_of_one_ends_all_and_begins_no_more(trouble):
    task, begun = a_task(), []
    _lease, steps = claimed(task)

    def work(key):
        begun.append(key)
        if key == 0:
            raise trouble
        return key

    with pytest.raises(type(trouble)):
        steps.do_each("first", {key: lambda key=key: work(key) for key in range(50)}, side_by_side=1)
    assert len(begun) < 50


def test_a_stop_while_many_run_side_by_side_begins_no_more(monkeypatch):
    """A worker told to stop has a minute, not the time of all that is still to come."""
    task, begun = a_task(), []
    _lease, steps = claimed(task)

    def stopped(*_futures, **_options):
        raise SystemExit

    monkeypatch.setattr("runs.steps.wait", stopped)
    works = {key: lambda key=key: (begun.append(key), time.sleep(0.02)) for key in range(50)}
    with pytest.raises(SystemExit):
        steps.do_each("first", works, side_by_side=1)
    assert len(begun) < 50


def test_contention_in_one_of_many_gives_the_run_back_with_what_the_others_made(settings):
    settings.DB_RETRY_ATTEMPTS = 0
    task = a_task()
    lease, steps = claimed(task)

    def store(output):
        leave_row(output)(output)
        if output == "b":
            with connection.cursor() as cursor:
                cursor.execute("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'lock_not_available'; END $$")

    works = {
        key: lambda key=key: steps.do("first", key=key, inputs=key, work=Counted(key), store=store) for key in "abc"
    }
    with pytest.raises(Contention), lease:
        steps.do_each("first", works, side_by_side=3)
    task.refresh_from_db()
    assert (task.status, task.error, rows()) == ("pending", "", ["a", "c"])
    assert sorted(DocumentStep.objects.values_list("key", flat=True)) == ["a", "c"]


def test_a_lease_lost_in_the_middle_of_many_leaves_only_what_was_committed_before():
    task = a_task()
    lease, steps = claimed(task)

    def work(key):
        if key == "b":
            ETLTask.objects.cancel(task.pk)
        return Done(key)

    works = {
        key: lambda key=key: steps.do("first", key=key, inputs=key, work=lambda: work(key), store=leave_row(key))
        for key in "abc"
    }
    with lease:
        steps.do_each("first", works, side_by_side=1)
    task.refresh_from_db()
    assert (task.status, rows()) == ("cancelled", ["a"])
    assert list(DocumentStep.objects.values_list("key", flat=True)) == ["a"]


def test_an_output_of_megabytes_is_kept_and_read_only_when_it_is_asked_for():
    task, large = a_task(), {"text": "很" * 2_000_000}
    lease, steps = claimed(task)
    with lease:
        steps.do("first", inputs=[], work=Counted(large))
        lease.release()
    lease, steps = claimed(task)
    with lease:
        assert {"output", "input"} <= steps._made["first", ""].get_deferred_fields()
        assert steps.do("first", inputs=[], work=Counted()) == large
        lease.release()


def test_a_last_step_ends_its_run_in_one_write_of_it():
    task, seen = a_task(), []
    lease, steps = claimed(task)

    def ends(output):
        lease.finish("completed", result=output)

    with lease, connection.execute_wrapper(lambda execute, sql, *rest: (seen.append(sql), execute(sql, *rest))[1]):
        steps.do("first", inputs=[], work=Counted({"a": 1}), store=ends, ends_run=True)
    assert len([sql for sql in seen if sql.startswith('UPDATE "etl_task"')]) == 1
    task.refresh_from_db()
    assert (task.status, task.result, DocumentStep.objects.count()) == ("completed", {"a": 1}, 1)


def test_a_last_step_of_who_lost_the_lease_leaves_nothing():
    task = a_task()
    lease, steps = claimed(task)
    with lease:
        ETLTask.objects.filter(pk=task.pk).update(lease_token=lease.token + 1)
        steps.do("first", inputs=[], work=Counted(), store=lambda _made: lease.finish("completed"), ends_run=True)
    task.refresh_from_db()
    assert (task.status, DocumentStep.objects.count()) == ("mineru_parsing", 0)


def test_a_last_step_that_does_not_end_its_run_is_refused():
    """Without the end there would be no fence."""
    task = a_task()
    lease, steps = claimed(task)
    with pytest.raises(AssertionError), lease:
        steps.do("first", inputs=[], work=Counted(), store=leave_row("first"), ends_run=True)
    assert (rows(), DocumentStep.objects.count()) == ([], 0)


def test_threads_leave_no_connection_behind():
    task = a_task()
    lease, steps = claimed(task)
    with lease:
        steps.do_each(
            "first",
            {key: lambda key=key: steps.do("first", key=key, inputs=key, work=Counted()) for key in "abcd"},
            side_by_side=4,
        )
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        assert cursor.fetchone()[0] == 0


def test_two_runners_on_one_task_only_one_works():
    task, asked = a_task(), []
    lease, _steps = claimed(task)
    work_through(task.pk, asked.append)
    assert asked == []
    with lease:
        lease.release()
    work_through(task.pk, asked.append)
    assert (asked, rows()) == (list(NAMES), sorted(NAMES))


def crashes():
    raise ZeroDivisionError


def test_a_crash_that_is_contained_is_the_failure_of_its_step_alone():
    task, noted = a_task(), []
    lease, steps = claimed(task)
    with lease:
        with pytest.raises(RunFailed) as failure:
            steps.do("first", inputs=[], work=crashes, contained=True, fail=noted.append)
        steps.do("second", inputs=[], work=Counted())
    assert (failure.value.slug, failure.value.text) == ("internal-error", "ZeroDivisionError")
    assert noted == [failure.value]
    assert outcomes(task) == [(0, "first", "failed"), (0, "second", "done")]


def test_effects_that_crash_are_undone_where_a_crash_is_contained():
    task = a_task()
    lease, steps = claimed(task)

    def store(output):
        leave_row("first")(output)
        raise ZeroDivisionError

    with lease, pytest.raises(RunFailed):
        steps.do("first", inputs=[], work=Counted(), store=store, contained=True)
    assert (rows(), outcomes(task)) == ([], [(0, "first", "failed")])


@pytest.mark.parametrize("trouble", [LeaseLost(), OperationalError("gone")])
def test_what_is_no_fault_of_a_step_is_not_contained(trouble):
    _lease, steps = claimed(a_task())

    def troubled():
        raise trouble

    with pytest.raises(type(trouble)):
        steps.do("first", inputs=[], work=troubled, contained=True)
    assert DocumentStep.objects.count() == 0


def test_what_a_failure_means_is_written_behind_the_fence():
    task, noted = a_task(), []
    lease, steps = claimed(task)
    ETLTask.objects.filter(pk=task.pk).update(lease_token=lease.token + 1)
    with pytest.raises(LeaseLost):
        steps.do("first", inputs=[], work=crashes, contained=True, fail=noted.append)
    assert (noted, DocumentStep.objects.count()) == ([], 0)


def test_the_next_attempt_does_not_try_again_what_failed_in_this_retry():
    task, tried = a_task(), []

    def fails():
        tried.append(1)
        raise RunFailed("needs_ocr", "page 2")

    for _attempt in range(2):
        lease, steps = claimed(task)
        with lease:
            with pytest.raises(RunFailed, match="page 2"):
                steps.do("first", inputs=[], work=fails)
            lease.release()
    assert len(tried) == 1
