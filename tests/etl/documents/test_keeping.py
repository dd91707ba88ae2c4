"""What the doctor, the metrics, the home page, the sample and pruning say and do of documents."""

import os
import time

import pytest
from django.test import RequestFactory

import documents
from conftest import make_user
from etl import home, metrics
from etl.documents import checkup, processing, sample, storage
from etl.documents.models import DocumentStep, ETLRule, ETLTask, Project, Table
from processes import manage_here
from watch.findings import Up

pytestmark = pytest.mark.django_db(transaction=True)
UP = Up(database=True, redis=True)


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.DOCUMENTS_DIR = tmp_path / "documents"
    return settings.DOCUMENTS_DIR


def faults():
    return [each.text for each in checkup.examine(UP) if not each.ok]


def lay(path, *, days):
    """A file as old as that."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    for each in (path, path.parent):
        os.utime(each, (time.time() - days * 86_400,) * 2)


def test_the_doctor_finds_nothing_where_all_is_well(folder):
    found = list(checkup.examine(UP))
    assert [each.text for each in found if not each.ok] == []
    assert len(found) == 3
    assert list(folder.iterdir()) == []


def test_the_doctor_tells_a_folder_that_cannot_be_written(settings, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    settings.DOCUMENTS_DIR = tmp_path / "file" / "below"
    assert any("cannot be kept" in text for text in faults())


def test_the_doctor_tells_a_full_disk_a_full_queue_and_orphans(settings, folder, operator):
    settings.ETL_MAX_BYTES = 10**18
    settings.ETL_MAX_PENDING = 1
    documents.task(documents.project(operator), status="pending")
    lay(folder / "incoming" / "abc", days=2)
    told = faults()
    for part in ("are free", "are refused", "have no task"):
        assert any(part in text for text in told), part


def test_the_doctor_tells_a_limit_that_lets_nobody_read_and_one_that_holds_nobody(settings, monkeypatch):
    settings.ETL_PARSER_MEMORY_BYTES = 1_000_000
    assert any("ETL_PARSER_MEMORY_BYTES" in text for text in faults())
    settings.ETL_PARSER_MEMORY_BYTES = 1_500_000_000
    monkeypatch.setattr(checkup, "TOO_LITTLE_BYTES", 1_500_000_000)  # as if the kernel did not mind
    assert any("does not work" in text for text in faults())


def test_orphan_uploads_are_pruned_and_nothing_else(folder, operator):
    task = documents.task(documents.project(operator))
    lay(folder / "incoming" / "old", days=30)
    lay(folder / "incoming" / "new", days=0)
    lay(folder / "987654321" / "source", days=30)
    lay(folder / str(task.pk) / "source", days=30)
    counted = manage_here("prune", "--older-than", "7d", "--what", "uploads", "--dry-run", "--json")
    assert '"uploads":2' in counted.stdout
    assert '"uploads":2' in manage_here("prune", "--older-than", "7d", "--what", "uploads", "--yes", "--json").stdout
    left = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert left == sorted(["incoming/new", f"{task.pk}/source"])
    forced = ("prune", "--older-than", "0h", "--force", "--what", "uploads", "--yes", "--json")
    assert '"uploads":0' in manage_here(*forced).stdout  # an upload of today may still become a task


def test_metrics_tell_how_long_stages_take(operator):
    task = documents.task(documents.project(operator))
    for number, (step, outcome, milliseconds) in enumerate(
        [("parse", "done", 1000), ("parse", "done", 3000), ("parse", "reused", 0), ("transform", "done", 500)]
    ):
        DocumentStep.objects.create(
            run=task, retry=number, step=step, outcome=outcome, milliseconds=milliseconds, input={}, input_hash="0"
        )
    (family,) = [each for each in metrics.collect() if each.name == "pressroom_document_stage_seconds"]
    told = {(each.labels["stage"], each.labels["quantile"]): each.value for each in family.samples}
    assert told[("parse", "0.5")] == 2.0
    assert told[("transform", "0.95")] == 0.5


def test_home_counts_the_documents_that_one_sees(operator, client):
    project = documents.project(operator)
    documents.task(project, status="failed")
    running = documents.task(project, status="pending")
    ETLTask.objects.claim(running.pk)

    def cards(user):
        request = RequestFactory().get("/admin/")
        request.user = user
        return {str(card.label): card.value for card in home.home(request).cards}

    assert (cards(operator)["Documents running"], cards(operator)["Documents failed"]) == (1, 1)
    other = cards(make_user("other", role="operator"))
    assert (other["Documents running"], other["Documents failed"]) == (0, 0)
    client.force_login(operator)
    assert "Documents failed" in client.get("/admin/").content.decode()


def test_the_sample_is_read_and_mounted_by_whoever_works_and_loaded_once(operator, viewer):
    assert len(sample.load(operator)) == 1
    tasks = list(ETLTask.objects.order_by("pk"))
    for task in tasks:
        processing.run_document(task.pk)
    ended = ETLTask.objects.values_list("filename", "status", "error", "error_text")
    assert {status for _name, status, _error, _text in ended} == {"completed"}, list(ended)
    assert not ETLTask.objects.exclude(error_stage="")
    assert Table.objects.get().version == len(tasks) == 5
    prices = ETLTask.objects.get(filename__endswith=".csv").result["output"]["items"]
    assert [str(each["price"]) for each in prices][:2] == ["199.00", "459.00"]
    report = ETLTask.objects.get(filename__endswith=".pdf").result["output"]
    assert (report["title"], report["department"]) == ("Quarterly report", "华东销售部")
    assert Project.objects.get().members.get() == viewer
    assert ETLRule.objects.count() == 3
    before = Project.objects.values().get()
    assert sample.load(operator) == []
    assert Project.objects.values().get() == before
    assert storage.orphans(older_than_seconds=0) == []


def test_the_sample_of_an_operator_who_may_not_mount_mounts_nothing(stranger):
    assert len(sample.load(stranger)) == 1
    assert not ETLTask.objects.exclude(mount_table=None)
