"""A file becomes JSON: both steps, every way they end, and what a retry uses again."""

import pytest

from documents import document, project, table
from etl.documents import hot, processing, storage
from etl.documents.choices import DocumentError, Stage
from etl.documents.parsed import Parsed, Unreadable
from etl.documents.services import DocumentWish, Upload, cancel_document, request_documents, retry_document
from etl.models import DocumentStep, ETLRule, ETLTask, TableMount
from runs.errors import Conflict, Outage
from runs.querysets import seconds_from_now

pytestmark = pytest.mark.django_db(transaction=True)

CSV = "名称,单价\n杯子,1.10\n盘子,2\n".encode()
ROWS = {
    "type": "object",
    "properties": {
        "items": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "name": {"type": "string", "title": "名称"},
                    "price": {"type": "number", "title": "单价"},
                },
            },
        }
    },
    "required": ["items"],
}


@pytest.fixture
def house(settings, tmp_path, operator):
    """A project of the operator, and a folder of its own for files."""
    settings.DOCUMENTS_DIR = tmp_path
    return project(operator)


@pytest.fixture
def requested(house, operator):
    """requested(content, name, **wish): a queued task."""

    def make(content=CSV, name="价格.csv", **wish):
        (task,) = request_documents(
            [Upload(name, [content[:3], content[3:]])], DocumentWish(house.pk, **wish), user=operator
        )
        return task

    return make


@pytest.fixture
def rule(operator, house):
    return ETLRule.objects.create(name="Rows", owner=operator, project=house, json_schema=ROWS)


def worked(task):
    processing.run_document(task.pk)
    task.refresh_from_db()
    return task


def outcomes(task):
    return list(DocumentStep.objects.of(task).in_order().values_list("retry", "step", "outcome"))


class Reader:
    """A parser that does what it is told."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    def parse(self, path, *, filename, report, remote):
        self.asked.append(remote.known)
        answer = self.answers.pop(0)
        if callable(answer):
            answer = answer(report, remote)
        if isinstance(answer, Exception):
            raise answer
        return Parsed(answer, "reader 1")


@pytest.fixture
def reads(monkeypatch):
    """reads(*answers): what the parser gives, one after the other."""

    def make(*answers):
        reader = Reader(*answers)
        monkeypatch.setattr(processing, "configured_parser", lambda: reader)
        return reader

    return make


def test_a_file_becomes_the_json_of_its_rule(requested, rule):
    task = worked(requested(rule_id=rule.pk))
    assert (task.status, task.progress, task.error) == ("completed", 100, "")
    assert [str(each["price"]) for each in task.result["output"]["items"]] == ["1.10", "2"]
    assert task.result["generator"] == {"kind": "rules", "name": "rules-schema/1", "model": None}
    assert set(task.result) >= {"output", "output_path", "output_size", "processing_time", "mineru_task_id", "parser"}
    assert storage.read(task.result["output_path"]).startswith(b'{"items"')
    assert "| 杯子 | 1.10 |" in storage.read(task.steps.get(step="parse").output["file"]).decode()
    assert outcomes(task) == [(0, "parse", "done"), (0, "transform", "done")]


def test_without_a_rule_the_text_itself_is_the_result(requested):
    task = worked(requested(b"Hello.\n", "a.txt"))
    assert task.result["output"] == {"filename": "a.txt", "content": "Hello.\n"}


def test_files_are_stored_by_the_id_of_their_task_and_never_by_their_name(requested, tmp_path):
    first, second = requested(name="same.csv"), requested(CSV + b"x,3\n", name="same.csv")
    assert storage.read(first.file) == CSV
    assert storage.read(second.file) != CSV
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["incoming", str(first.pk), str(second.pk)])
    assert list((tmp_path / "incoming").iterdir()) == []


def test_a_document_that_cannot_be_read_says_where_and_why(requested, reads):
    reads(Unreadable(DocumentError.NEEDS_OCR, "page 2"))
    task = worked(requested())
    assert (task.status, task.error, task.error_text, task.error_stage) == ("failed", "needs_ocr", "page 2", "parse")


def test_a_result_that_does_not_fit_fails_at_shaping(requested, rule, reads):
    reads("# Nothing\n")
    task = worked(requested(rule_id=rule.pk))
    assert (task.status, task.error, task.error_stage) == ("failed", "schema-mismatch", "transform")
    assert task.result is None


def test_a_task_that_takes_too_long_fails_at_the_limit(requested, reads, settings):
    settings.ETL_TASK_TIMEOUT = 0

    def slow(report, _remote):
        report(1, 2)

    reads(slow)
    task = worked(requested())
    assert (task.status, task.error, task.error_stage) == ("failed", "timed-out", "timeout")


class Away(Outage):
    slug = "parser-away"


def test_a_parser_that_is_away_is_waited_for_and_at_last_given_up(requested, reads):
    reads(*[Away("gone")] * 5)
    task = requested()
    for _attempt in range(task.max_attempts):
        ETLTask.objects.filter(pk=task.pk).update(not_before=None)
        worked(task)
    assert (task.status, task.error, task.error_stage) == ("failed", "parser-away", "parse")


def test_the_id_of_a_remote_task_is_kept_before_it_is_waited_for(requested, reads):
    def submits(_report, remote):
        remote.keep("remote-7")
        return Away("died while waiting")

    reader = reads(submits, "read")
    task = worked(requested())
    assert (task.status, task.remote_id) == ("pending", "remote-7")
    ETLTask.objects.filter(pk=task.pk).update(not_before=None)
    assert worked(task).status == "completed"
    assert reader.asked == ["", "remote-7"]
    assert task.result["mineru_task_id"] == "remote-7"


def test_a_late_writer_does_not_change_what_the_task_s_row_names(requested, reads):
    """Files have no fence: who was frozen while others did the work writes when it wakes."""
    task = requested()

    def frozen(_report, _remote):
        ETLTask.objects.filter(pk=task.pk).update(lease_until=seconds_from_now(-1))
        reads("by who took over")
        processing.run_document(task.pk)
        return "by who was frozen"

    reads(frozen)
    assert worked(task).status == "completed"
    text = task.steps.get(step="parse").output
    assert storage.read(text["file"]) == b"by who took over"
    assert b"by who took over" in storage.read(task.result["output_path"])


def test_a_retry_shapes_again_what_was_read_before(requested, rule, reads):
    reader = reads("# Nothing\n")
    task = worked(requested(rule_id=rule.pk))
    rule.json_schema = {"type": "object", "properties": {"title": {"type": "string"}}}
    rule.save()
    retry_document(task, actor="test")
    assert worked(task).status == "completed"
    assert (task.result["output"], len(reader.asked)) == ({"title": "Nothing"}, 1)
    assert outcomes(task)[-2:] == [(1, "parse", "reused"), (1, "transform", "done")]


def test_a_retry_from_reading_reads_again(requested, reads):
    reader = reads("one", "two")
    task = worked(requested())
    retry_document(task, from_stage=Stage.PARSE, actor="test")
    assert worked(task).result["output"]["content"] == "two"
    assert len(reader.asked) == 2


def test_a_retry_that_reads_the_same_keeps_its_result(requested, reads):
    reads("same", "same")
    task = worked(requested())
    retry_document(task, from_stage=Stage.TRANSFORM, actor="test")
    assert worked(task).result["output"]["content"] == "same"


@pytest.mark.parametrize(("prepare", "slug"), [("open", "already-running"), ("completed", "nothing-to-retry")])
def test_what_cannot_be_retried_says_why(requested, prepare, slug):
    task = requested()
    if prepare == "completed":
        worked(task)
    with pytest.raises(Conflict) as refusal:
        retry_document(task, actor="test")
    assert refusal.value.slug == slug


def test_a_task_whose_rule_was_deleted_is_not_retried_without_it(requested, rule, reads):
    reads(Unreadable(DocumentError.NEEDS_OCR))
    task = worked(requested(rule_id=rule.pk))
    rule.delete()
    with pytest.raises(Conflict) as refusal:
        retry_document(task, actor="test")
    assert refusal.value.slug == "rule-deleted"


def test_a_cancelled_task_is_left_alone_by_its_worker(requested, reads):
    task = requested()

    def cancelled(report, _remote):
        cancel_document(task, actor="test")
        return "read all the same"

    reads(cancelled)
    assert worked(task).status == "cancelled"
    assert DocumentStep.objects.count() == 0


def test_a_mount_asked_for_at_upload_is_made_with_the_result(requested, house):
    into = table(house)
    task = worked(requested(b"Hello.\n", "a.txt", table_id=into.pk))
    assert (task.status, task.error) == ("completed", "")
    assert document(into) == '{"a": {"content": "Hello.\\n", "filename": "a.txt"}}'
    assert TableMount.objects.get().mounted_by == task.requested_by


def test_a_mount_that_fails_leaves_the_task_completed_and_mountable(requested, house):
    into = table(house, '{"a": 1}')
    task = worked(requested(b"Hello.\n", "a.txt", table_id=into.pk))
    assert (task.status, task.error, task.error_stage) == ("completed", "path-conflict", "mount")
    assert document(into) == '{"a": 1}'


def test_who_lost_the_right_meanwhile_mounts_nothing(requested, house, operator):
    into = table(house)
    task = requested(b"Hello.\n", "a.txt", table_id=into.pk)
    operator.groups.clear()
    worked(task)
    assert (task.status, task.error, task.error_stage) == ("completed", "not-allowed", "mount")
    assert document(into) == "{}"


def test_how_far_it_is_stands_in_the_hot_store_and_costs_the_database_nothing(
    requested, reads, django_assert_num_queries
):
    task, seen = requested(), []

    def pages(report, _remote):
        with django_assert_num_queries(0):
            report(3, 7)
        held = ETLTask.objects.get(pk=task.pk)
        seen.append(hot.overlay([held])[task.pk])
        return "read"

    reads(pages)
    worked(task)
    assert (seen[0].stage, seen[0].status) == ("parse", "mineru_parsing")


def test_what_an_earlier_holder_said_is_not_shown(requested):
    task = requested()
    token = ETLTask.objects.claim(task.pk)
    hot.Teller(task.pk, token).tell(Stage.TRANSFORM, 80)
    task.refresh_from_db()
    assert hot.overlay([task])[task.pk].percent == 80
    task.lease_token = token + 1
    assert hot.overlay([task]) == {}


def test_an_older_writer_does_not_overwrite_a_newer_one(requested):
    task = requested()
    token = ETLTask.objects.claim(task.pk)
    hot.Teller(task.pk, token).tell(Stage.TRANSFORM, 80)
    hot.Teller(task.pk, token - 1).tell(Stage.PARSE, 10)
    task.refresh_from_db()
    assert hot.overlay([task])[task.pk].percent == 80
