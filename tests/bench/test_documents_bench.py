"""The designs of bench documents make the same of a document, and its list is the route's; no test looks at a time."""

import json

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from bench import documents as bench_documents
from benches import FIELDS, NOWHERE, bench
from documents import project
from etl.documents import hot, processing
from etl.documents.models import DocumentStep, ETLTask

pytestmark = pytest.mark.django_db(transaction=True)


def made(design, operator, monkeypatch):
    """What a design makes of three documents, and what it says of them beside."""
    monkeypatch.setattr(hot.Teller, "tell", bench_documents.TELLING[design])
    ETLTask.objects.all().delete()
    bench_documents._work(3, project(operator), operator)
    rows = list(ETLTask.objects.order_by("pk").values("filename", "sha256", "size", "media", "status", "progress"))
    outputs = list(ETLTask.objects.order_by("pk").outputs())
    steps = list(DocumentStep.objects.order_by("pk").values_list("step", "outcome"))
    said = list(ETLTask.objects.order_by("pk").values_list("metadata", flat=True))
    return (rows, outputs, steps), said


def test_every_design_makes_of_a_document_what_ours_makes(operator, settings, tmp_path, monkeypatch):
    settings.DOCUMENTS_DIR = tmp_path
    monkeypatch.setattr(processing, "configured_parser", bench_documents.Pages)
    expected, silence = made("ours", operator, monkeypatch)
    assert {row["status"] for row in expected[0]} == {"completed"}
    assert made("silent", operator, monkeypatch) == (expected, silence)
    naive, said = made("naive", operator, monkeypatch)
    assert naive == expected
    assert said != silence, "each page was written down"


def test_the_page_is_that_of_the_route_and_one_query_and_one_round_trip(operator, administrator):
    bench_documents.hold_ten_thousand(project(operator), administrator)
    assert ETLTask.objects.active().count() == 10_000
    client = Client(SERVER_NAME="localhost")
    client.force_login(administrator)
    bench_documents.look_at_page(client)
    asked = bench_documents._redis_reads()
    with CaptureQueriesContext(connection) as queries:
        bench_documents.look_at_page(client)
    assert len([each for each in queries if 'FROM "etl_task"' in each["sql"]]) == 1
    assert bench_documents._redis_reads() - asked == 1
    ETLTask.objects.update(lease_token=0)  # others hold them now, and those have said nothing
    with pytest.raises(AssertionError, match="not every row was overlaid"):
        bench_documents.look_at_page(client)


@pytest.mark.long
@pytest.mark.benchmark
def test_bench_documents_says_what_a_task_and_a_page_cost():
    done = bench("documents", "--rows", "20", "--rounds", "1", "--json", **NOWHERE)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)["results"]
    assert all(set(each) >= FIELDS for each in results)
    notes = {(each["design"], each["pass"].split()[0]): each["notes"] for each in results}
    assert set(notes) == {("silent", "tasks"), ("ours", "tasks"), ("ours", "page"), ("naive", "tasks")}
    page = notes["ours", "page"]
    assert page["redisRoundTripsPerPage"] == 1
    assert 1 <= page["pageQueries"] < 1.1  # the total is counted again when it is 5 seconds old
    assert notes["ours", "tasks"]["writesOfTheTaskItself"] < 5 < 50 < notes["naive", "tasks"]["writesOfTheTaskItself"]
