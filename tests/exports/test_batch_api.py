"""Briefs of both lines on one shelf, each with its files."""

import csv
import hashlib
import io
from datetime import date
from urllib.parse import unquote

import docx
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from access.models import AuditEvent
from exports import recording
from exports.briefs import BriefOptions, export_by_hand
from exports.downloads import FORMATS, safe_name
from exports.models import BriefBatch, ManualExportBatch
from exports.recording import Entry
from exports.reviewing import decide
from pool import pour

pytestmark = pytest.mark.django_db
HERE = "/api/v1/exports"
DAY = date(2026, 5, 1)


@pytest.fixture
def api(client_of, viewer):
    return client_of(viewer)


@pytest.fixture
def paper(shipped_templates):
    """paper(*ids, tag=…, **fields): a brief made by hand of articles made for it."""

    def make(*ids, tag="2026-05-01", template="zongbao", **fields):
        pour(*ids, **fields)
        decide(selected=ids, actor="test")
        return export_by_hand(BriefOptions(report_tag=tag, template=template), actor="test")

    return make


def worker_brief(tag, *ids, content="Text.\n"):
    pour(*ids)
    entries = [Entry(each, "jingnei_positive", f"Summary of {each}.", {"title": f"Title of {each}"}) for each in ids]
    return recording.record_export(tag, DAY, entries, template="brief", payload={"a_key": 1.10}, content=content).batch


def download(api, key, file_format):
    answer = api.get(f"{HERE}/batches/{key}/download?format={file_format}")
    assert answer.status_code == 200
    return answer


def test_the_newest_brief_made_by_hand_has_every_field_the_console_reads(api, paper):
    assert api.get(f"{HERE}/latest").status_code == 404
    paper("a/1", "a-2")
    worker_brief("2026-06-01", "a-3")
    body = api.get(f"{HERE}/latest").json()
    batch = ManualExportBatch.objects.get()
    assert body == body | {
        "batchId": f"manual-{batch.pk}", "reportDate": "2026-05-01", "sequenceNo": 1, "generatedBy": "2026-05-01",
        "itemCount": 2,
    }  # fmt: skip
    assert {"exportPayload", "createdAt", "updatedAt"} <= body.keys()
    assert [(each["articleId"], each["orderIndex"]) for each in body["items"]] == [("a/1", 1), ("a-2", 2)]
    assert {"id", "section", "finalSummary", "metadata"} <= body["items"][0].keys()
    for spelling in ("include_items", "includeItems"):
        assert api.get(f"{HERE}/latest?{spelling}=false").json()["items"] == []


def test_both_lines_stand_on_one_shelf_newest_first(api, paper):
    paper("a-1", tag="2026-05-01")
    paper("a-2", tag="2026-05-03")
    worker_brief("2026-05-01-auto", "b-1")
    body = api.get(f"{HERE}/batches").json()
    assert [(each["source"], each["reportTag"]) for each in body["batches"]] == [
        ("manual", "2026-05-03"), ("worker", "2026-05-01-auto"), ("manual", "2026-05-01"),
    ]  # fmt: skip
    assert (body["total"], body["limit"], body["offset"]) == (3, 30, 0)
    tags = lambda query: [each["reportTag"] for each in api.get(f"{HERE}/batches?{query}").json()["batches"]]  # noqa: E731
    assert tags("source=worker") == ["2026-05-01-auto"]
    assert tags("source=manual&limit=1&offset=1") == ["2026-05-01"]
    assert tags("reportTag=2026-05-03") == tags("report_tag=2026-05-03") == ["2026-05-03"]
    assert tags("reportDate=2026-05-01") == ["2026-05-01-auto", "2026-05-01"]
    assert tags("limit=1&offset=2") == ["2026-05-01"]


def test_one_number_in_two_tables_is_two_briefs(api, paper):
    by_hand = paper("a-1").batch
    by_worker = worker_brief("2026-05-01", "b-1")
    BriefBatch.objects.filter(pk=by_worker.pk).update(source="manual")
    bodies = [api.get(f"{HERE}/batches/{key}").json() for key in (f"manual-{by_hand.pk}", f"brief-{by_worker.pk}")]
    assert [body["items"][0]["articleId"] for body in bodies] == ["a-1", "b-1"]
    assert [body["source"] for body in bodies] == ["manual", "manual"]


def test_a_payload_comes_out_as_it_was_stored(api, db):
    batch = worker_brief("2026-05-01", "b-1")
    answer = api.get(f"{HERE}/batches/brief-{batch.pk}")
    assert b'"exportPayload":{"a_key":1.1' in answer.content


@pytest.mark.parametrize(
    "key", ["manual-999", "brief-999", "5", "manual-0", "manual-x", "other-1", "manual-" + "9" * 30]
)
def test_a_brief_nobody_has_is_not_found(api, key):
    assert api.get(f"{HERE}/batches/{key}").status_code == 404
    assert api.get(f"{HERE}/batches/{key}/download").status_code == 404


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("source=both", "source"), ("reportDate=yesterday", "reportDate"), ("reportDate=2026-02-30", "reportDate"),
        ("report_date=%D9%A3", "reportDate"), ("limit=201", "limit"), ("offset=-1", "offset"),
        ("reportTag=", "reportTag"),
    ],
)  # fmt: skip
def test_a_senseless_parameter_is_named(api, query, parameter):
    answer = api.get(f"{HERE}/batches?{query}")
    assert answer.status_code == 400
    assert [each["parameter"] for each in answer.json()["errors"]] == [parameter]


def test_the_number_of_queries_does_not_depend_on_the_number_of_briefs(api, paper):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            assert api.get(f"{HERE}/batches").status_code == 200
        return len(captured)

    paper("a-1")
    worker_brief("w-0", "b-0")
    few = queries()
    for number in range(1, 8):
        worker_brief(f"w-{number}", f"b-{number}")
    # the totals are known for some seconds
    assert queries() <= few


def test_txt_is_the_stored_text_byte_for_byte(api, paper):
    brief = paper("a-1", "a-2", title="标题：一 😀")
    answer = download(api, f"manual-{brief.batch.pk}", "txt")
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.content == brief.content.encode()
    assert hashlib.sha256(answer.content).hexdigest() == brief.sha256
    assert AuditEvent.objects.get(action="brief.downloaded").after == {"format": "txt"}


def test_docx_says_the_same_lines_with_its_headings_marked(api, paper):
    brief = paper("a-1", "a-2", title="标题：一")
    file = docx.Document(io.BytesIO(download(api, f"manual-{brief.batch.pk}", "docx").content))
    assert "\n".join(each.text for each in file.paragraphs) + "\n" == brief.content
    styles = {each.text: each.style.name for each in file.paragraphs if each.text}
    assert styles["首都教育每日舆情综报"] == "Title"
    assert styles["【新闻信息纵览】"] == "Heading 1"
    assert styles["■ 标题：一"] == "Heading 2"
    assert styles["Summary of a-1.（City Herald）"] == "Normal"


def test_md_marks_the_headings_and_escapes_the_rest(api, paper):
    brief = paper("a-1", title="1. *Title* <b>")
    text = download(api, f"manual-{brief.batch.pk}", "md").content.decode()
    assert text.startswith("# 首都教育每日舆情综报\n\n")
    assert "\n## 【新闻信息纵览】\n" in text
    assert "\n### ■ 1. \\*Title\\* \\<b\\>\n" in text


def test_a_markdown_brief_is_its_own_md_and_a_docx_without_its_marks(api, paper):
    brief = paper("a-1", template="markdown", title="Fares * rise")
    key = f"manual-{brief.batch.pk}"
    assert download(api, key, "md").content == brief.content.encode()
    lines = [each.text for each in docx.Document(io.BytesIO(download(api, key, "docx").content)).paragraphs]
    assert "1. Fares * rise" in lines
    assert not any(line.startswith("#") or "\\" in line for line in lines)


def test_csv_has_a_line_per_article_and_no_formula(api, paper):
    brief = paper("a-1", "a-2", title="=HYPERLINK(1)", summary="Two\nlines", source="＝x", keywords=["k", "l"])
    content = download(api, f"manual-{brief.batch.pk}", "csv").content
    assert content.startswith(b"\xef\xbb\xbf")
    heading, *rows = csv.reader(io.StringIO(content.decode("utf-8-sig")))
    assert heading[:4] == ["place", "section", "article_id", "title"]
    assert [row[:4] for row in rows] == [
        ["1", "jingnei_positive", "a-1", "'=HYPERLINK(1)"], ["2", "jingnei_positive", "a-2", "'=HYPERLINK(1)"],
    ]  # fmt: skip
    assert rows[0][4] == "'＝x"
    assert rows[0][-2:] == ["k; l", "Two\nlines"]


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_brief_of_any_text_and_tag_is_downloaded_under_a_safe_name(api, db, file_format):
    text = "\x01control \ufffe and =formula\r\n" + "x" * 50_000 + "\n"
    batch = worker_brief('../../etc/"passwd"\\ 日报\r\nX: y', "b-1", content=text)
    answer = download(api, f"brief-{batch.pk}", file_format)
    name = unquote(answer["Content-Disposition"])
    assert name.endswith(f"etc_passwd_日报_X_y.{file_format}")
    assert not set(name.partition("filename")[2]) & set('/\\\r\n"')
    assert answer["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_brief_copied_in_without_its_text_is_written_from_its_articles(api, db, file_format):
    batch = worker_brief("2026-05-01", "b-1")
    BriefBatch.objects.update(content="", sha256="", export_payload=[])
    content = download(api, f"brief-{batch.pk}", file_format).content
    if file_format == "docx":
        content = "\n".join(each.text for each in docx.Document(io.BytesIO(content)).paragraphs).encode()
    assert b"Title of b-1" in content.replace(b"\\", b"")
    assert b"Summary of b-1." in content.replace(b"\\", b"")


def test_an_empty_brief_is_an_empty_file(api, db):
    batch = BriefBatch.objects.create(report_tag="t", report_date=DAY, sequence_no=1, generated_by="t")
    for file_format in FORMATS:
        download(api, f"brief-{batch.pk}", file_format)


@pytest.mark.parametrize("query", ["format=pdf", "format=", "format=../txt", "format=txt&format=md"])
def test_an_unknown_format_is_refused(api, paper, query):
    brief = paper("a-1")
    assert api.get(f"{HERE}/batches/manual-{brief.batch.pk}/download?{query}").status_code == 400


def test_any_accept_header_gets_the_file(api, paper):
    brief = paper("a-1")
    url = f"{HERE}/batches/manual-{brief.batch.pk}/download"
    for accept in ("text/plain", "application/msword", "*/*", "application/json"):
        assert api.get(url, HTTP_ACCEPT=accept).content == brief.content.encode()


@pytest.mark.parametrize(
    ("tag", "name"), [("", "brief"), ("...", "brief"), ("简报 5/1", "简报_5_1"), ("x" * 300, "x" * 80)]
)
def test_a_tag_becomes_a_file_name(tag, name):
    assert safe_name(tag) == name
