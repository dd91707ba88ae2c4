"""The console's routes: lists, decisions by version, edits, the export by hand."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from access.models import AuditEvent
from api.idempotency import IDEMPOTENCY_KEY
from exports.ingest import ingest_articles
from exports.models import Article, ExportRun, ManualExportBatch, ManualReview
from exports.reviewing import decide
from pool import listed, places, pour, review, row

pytestmark = pytest.mark.django_db
HERE = "/api/v1/manual_filter"
LONG = "x" * 10_000


@pytest.fixture
def api(client_of, operator):
    return client_of(operator)


def everything():
    tables = (Article, ManualReview, ManualExportBatch, ExportRun, AuditEvent)
    return [list(table.objects.order_by("pk").values()) for table in tables]


def problem(answer, status, slug="validation-error"):
    assert answer.status_code == status, answer.content
    body = answer.json()
    assert body["type"] == f"/problems/{slug}", body
    assert len(answer.content) < 50_000
    return body


def test_a_candidate_has_every_field_the_console_reads(api):
    pour("a/1", keywords=["k"], url="https://example.org/1", importance=3)
    body = api.get(f"{HERE}/candidates").json()
    assert {name: body[name] for name in ("total", "limit", "offset")} == {"total": 1, "limit": 30, "offset": 0}
    (item,) = body["items"]
    assert item == item | {
        "articleId": "a/1", "title": "Title of a/1", "summary": "Summary of a/1.", "source": "City Herald",
        "llmSourceDisplay": "City Herald", "llmSourceRaw": "City Herald", "llmSourceManual": None, "score": 80,
        "sentimentLabel": "positive", "isBeijingRelated": True, "url": "https://example.org/1",
        "bonusKeywords": ["k"], "rank": None, "status": "pending", "version": 1,
    }  # fmt: skip


def test_both_mounts_and_both_spellings_answer_the_same(api):
    pour("a")
    for path in ("/api/manual_filter/candidates?cluster_threshold=0.9&force_refresh=true",
                 "/api/v1/manual_filter/candidates?clusterThreshold=0.9&forceRefresh=true"):  # fmt: skip
        assert [each["articleId"] for each in api.get(path).json()["items"]] == ["a"]
    assert api.post("/api/manual_filter/decide", {"selected_ids": ["a"]}).json()["selected"] == 1
    assert api.post("/api/v1/manual_filter/decide", {"backupIds": ["a"]}).json()["backup"] == 1


def test_an_unknown_region_is_neither_true_nor_false(api):
    for region, said in (("internal", True), ("external", False), ("unknown", None)):
        pour(region, region=region)
        (item,) = api.get(f"{HERE}/candidates?region={region}").json()["items"]
        assert item["isBeijingRelated"] is said


def test_every_candidate_is_seen_once_over_the_pages_in_order(api):
    ingest_articles(
        [
            row(f"a-{n:02}", score=n % 7, region=("internal", "external", "unknown")[n % 3], published_at=None)
            for n in range(50)
        ],
        actor="test",
    )
    for query, ids in (("", listed("pending")), ("&region=external", [
        each for each in listed("pending") if review(each).region == "external"
    ])):  # fmt: skip
        seen = []
        for offset in range(0, 63, 7):
            body = api.get(f"{HERE}/candidates?limit=7&offset={offset}{query}").json()
            assert (body["total"], body["offset"]) == (len(ids), offset)
            seen += [each["articleId"] for each in body["items"]]
        assert seen == ids


def test_filters_by_region_and_sentiment_filter(api):
    for region in ("internal", "external"):
        for sentiment in ("positive", "negative"):
            pour(f"{region}-{sentiment}", region=region, sentiment=sentiment)
    ids = lambda query: {each["articleId"] for each in api.get(f"{HERE}/candidates?{query}").json()["items"]}  # noqa: E731
    assert ids("region=internal") == {"internal-positive", "internal-negative"}
    assert ids("sentiment=negative") == {"internal-negative", "external-negative"}
    assert ids("region=external&sentiment=negative") == {"external-negative"}


def test_lists_of_the_selected_the_backup_and_the_discarded(api):
    pour(*"abcdef")
    decide(selected=["b", "a"], backup=["c"], discarded=["d", "e"], actor="test")
    ids = lambda path: [each["articleId"] for each in api.get(f"{HERE}/{path}").json()["items"]]  # noqa: E731
    assert ids("review") == ids("review?decision=selected") == ["b", "a"]
    assert ids("review?decision=backup") == ["c"]
    assert set(ids("discarded")) == {"d", "e"}
    assert ids("candidates") == ["f"]
    assert api.get(f"{HERE}/stats").json() == {
        "pending": 1, "selected": 2, "backup": 1, "discarded": 2, "exported": 0, "estimated": [],
    }  # fmt: skip


def test_candidates_come_by_story_when_asked_for_clusters(api):
    text = "The city will open three new reading rooms in the northern districts before the end of the school year"
    ingest_articles(
        [
            row("best", title="Reading rooms open in the north", summary=text, score=90),
            row("same", title="Reading rooms open in the north!", summary=text + ".", score=70),
            row("elsewhere", title="Reading rooms open in the north", summary=text, score=80, region="external"),
            row("other", title="Bus fares stay the same", summary="Nothing changes for passengers.", score=85),
        ],
        actor="test",
    )
    body = api.get(f"{HERE}/candidates?cluster=true").json()
    assert (body["total"], body["totalClusters"], body["clustered"]) == (4, 3, 4)
    assert [(each["clusterId"], each["size"]) for each in body["clusters"]] == [
        ("best", 2),
        ("other", 1),
        ("elsewhere", 1),
    ]
    first = body["clusters"][0]
    assert [each["articleId"] for each in first["items"]] == ["best", "same"]
    assert first["representative"] == first["items"][0]
    assert (first["region"], first["sentiment"]) == ("internal", "positive")
    page = api.get(f"{HERE}/candidates?cluster=true&limit=1&offset=1").json()
    assert [each["clusterId"] for each in page["clusters"]] == ["other"]


def test_clusters_follow_what_editors_do_though_they_are_remembered(api):
    pour("a", "b", title="The very same title of a story", summary="The very same summary of a story, word by word.")
    assert len(api.get(f"{HERE}/candidates?cluster=true").json()["clusters"]) == 1
    decide(discarded=["a"], actor="test")
    (found,) = api.get(f"{HERE}/candidates?cluster=true").json()["clusters"]
    assert [each["articleId"] for each in found["items"]] == ["b"]


@pytest.mark.parametrize(
    "path", ["candidates", "candidates?region=internal", "review", "discarded", "candidates?cluster=true"]
)
def test_the_number_of_queries_does_not_depend_on_the_number_of_rows(api, path):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            assert api.get(f"{HERE}/{path}").status_code == 200
        return len(captured)

    pour("a", "b", "c")
    decide(selected=["b"], discarded=["c"], actor="test")
    few = queries()
    ids = [f"n-{each}" for each in range(100)]
    pour(*ids)
    decide(selected=ids[:30], discarded=ids[30:60], actor="test")
    # beyond the end of a page there is a total to be estimated and counted
    assert queries() <= few + 2


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("candidates?limit=0", "limit"), ("candidates?limit=201", "limit"), ("candidates?limit=x", "limit"),
        ("candidates?limit=%D9%A3", "limit"), ("candidates?offset=-1", "offset"), ("candidates?offset=1e3", "offset"),
        ("candidates?offset=10001", "offset"), ("candidates?offset=" + "9" * 40, "offset"),
        ("candidates?region=moon", "region"), ("candidates?sentiment=mixed", "sentiment"),
        ("candidates?cluster=yes", "cluster"), ("candidates?cluster_threshold=2", "clusterThreshold"),
        ("candidates?clusterThreshold=NaN", "clusterThreshold"), ("candidates?force_refresh=1", "forceRefresh"),
        ("candidates?cluster_threshold=0.5&clusterThreshold=0.6", "clusterThreshold"),
        ("review?decision=exported", "decision"), ("review?decision=", "decision"), ("discarded?limit=", "limit"),
    ],
)  # fmt: skip
def test_a_senseless_parameter_is_named(api, query, parameter):
    body = problem(api.get(f"{HERE}/{query}"), 400)
    assert [each["parameter"] for each in body["errors"]] == [parameter]


@pytest.mark.parametrize("query", ["candidates?page=1", "stats?limit=1", "discarded?region=internal", "review?q=x"])
def test_an_unknown_parameter_is_refused(api, query):
    problem(api.get(f"{HERE}/{query}"), 400, "unknown-parameter")


def test_decisions_are_counted_and_on_record(api, operator):
    pour(*"abcd")
    body = {"selectedIds": ["b", "a"], "backupIds": ["c"], "discardedIds": ["d"], "pendingIds": [], "actor": "room 3"}
    answer = api.post(f"{HERE}/decide", body)
    assert answer.json() == {"selected": 2, "backup": 1, "discarded": 1, "pending": 0, "updatedRows": 4}
    assert places(*"ba") == [("selected", 1), ("selected", 2)]
    assert review("a").decided_by == "operator"
    event = AuditEvent.objects.get(action="reviews.decided")
    assert (event.actor_name, event.after["actor"]) == ("operator", "room 3")


@pytest.mark.parametrize(
    "wish",
    [
        {"selectedIds": ["a"], "backupIds": ["a"]},
        {"selectedIds": ["a", "a"]},
        {"selectedIds": ["a", "nobody's/😀"]},
        {"selectedIds": ["a"], "discardedIds": [LONG]},
        {"selectedIds": ["a", ""]},
        {"selectedIds": ["a", 5.5]},
        {"selectedIds": ["a", None]},
        {"selectedIds": "a"},
        {"selectedIds": ["a"], "versions": {"a": 0}},
        {"selectedIds": ["a"], "versions": {"a": "new"}},
        {"selectedIds": ["a"], "versions": ["a"]},
        {"selectedIds": ["a"], "actor": LONG},
        {"selectedIds": ["a"], "exportedIds": ["b"]},
        {"selectedIds": ["a"], "selected_ids": ["b"]},
        {"selectedIds": [str(n) for n in range(5_001)]},
        [],
    ],
)
def test_a_decision_that_makes_no_sense_is_refused_and_writes_nothing(api, wish):
    pour("a", "b")
    before = everything()
    body = problem(api.post(f"{HERE}/decide", wish), 400)
    assert body["errors"]
    assert everything() == before


def test_the_second_of_two_editors_gets_the_current_rows_and_nothing_is_lost(api):
    pour("a", "b")
    api.post(f"{HERE}/decide", {"selectedIds": ["a"], "versions": {"a": 1}})
    before = everything()
    body = problem(
        api.post(f"{HERE}/decide", {"discardedIds": ["a", "b"], "versions": {"a": 1, "b": 1}}), 409, "stale-version"
    )
    (current,) = body["current"]
    assert (current["articleId"], current["status"], current["version"]) == ("a", "selected", 2)
    body = problem(api.post(f"{HERE}/edit", {"edits": {"a": {"summary": "Mine", "version": 1}}}), 409, "stale-version")
    assert body["current"][0]["version"] == 2
    problem(api.post(f"{HERE}/order", {"selectedOrder": ["a"], "versions": {"a": 1}}), 409, "stale-version")
    assert everything() == before


def test_what_is_exported_is_decided_about_only_after_it_is_restored(api):
    pour("a")
    ManualReview.objects.update(status="exported")
    problem(api.post(f"{HERE}/decide", {"selectedIds": ["a"]}), 409, "already-exported")
    assert api.post(f"{HERE}/restore", {"ids": ["a"]}).json() == {"restored": 1}
    assert places("a") == [("pending", None)]
    problem(api.post(f"{HERE}/restore", {"ids": ["a"]}), 409, "not-exported")


def test_an_order_is_the_printed_order(api):
    pour(*"abcd")
    decide(selected=["a", "b"], backup=["c"], actor="test")
    answer = api.post(f"{HERE}/order", {"selectedOrder": ["d", "b", "a"], "backupOrder": ["c"], "actor": "x"})
    assert answer.json() == {"selected": 3, "backup": 1, "updatedRows": 2}
    assert [each["articleId"] for each in api.get(f"{HERE}/review").json()["items"]] == ["d", "b", "a"]


def test_edits_are_written_and_cleared_again(api):
    pour("a/1")
    edits = {"a/1": {"summary": "Better.", "llmSource": "Post", "notes": " n ", "score": 91.25, "version": 1}}
    assert api.post(f"{HERE}/edit", {"edits": edits, "actor": "x"}).json() == {"updated": 1}
    (item,) = api.get(f"{HERE}/candidates").json()["items"]
    assert item == item | {
        "summary": "Better.", "llmSourceDisplay": "Post", "llmSourceManual": "Post", "llmSourceRaw": "City Herald",
        "score": 91.25, "notes": " n ", "version": 2,
    }  # fmt: skip
    api.post(f"{HERE}/edit", {"edits": {"a/1": {"summary": "", "llm_source": None, "score": ""}}})
    (item,) = api.get(f"{HERE}/candidates").json()["items"]
    assert item == item | {"summary": "Summary of a/1.", "llmSourceManual": None, "score": 80, "notes": " n "}


@pytest.mark.parametrize(
    ("edits", "pointer"),
    [
        ({"a": {"score": 1000}}, "#/edits/a/score"),
        ({"a": {"score": "many"}}, "#/edits/a/score"),
        ({"a": {"score": 1.2345}}, "#/edits/a/score"),
        ({"a": {"summary": 5.5, "title": "x"}}, "#/edits/a/title"),
        ({"a": {"version": 0}}, "#/edits/a/version"),
        ({"a": "text"}, "#/edits/a"),
        ({"a": {"notes": "n"}, "b/c": {"summary": ["x"]}}, "#/edits/b~1c/summary"),
        ({"a": {"notes": "n"}, "?": {"notes": "n"}}, "#"),
        ({"a": {"notes": "n"}, LONG: {"notes": "n"}}, "#"),
        ("text", "#/edits"),
        (None, "#/edits"),
    ],
)
def test_an_edit_that_makes_no_sense_is_pointed_at_and_writes_nothing(api, edits, pointer):
    pour("a")
    before = everything()
    body = problem(api.post(f"{HERE}/edit", {"edits": edits}), 400)
    assert pointer in [each["pointer"] for each in body["errors"]]
    assert everything() == before


# --- the export by hand -----------------------------------------------------------------------------


@pytest.fixture
def picked(shipped_templates):
    pour("in-plus", "in-minus", sentiment="positive")
    pour("in-minus", sentiment="negative")
    pour("out-plus", region="external")
    decide(selected=["in-plus", "in-minus", "out-plus"], actor="test")


FIELDS = {
    "items", "count", "reportTag", "outputPath", "categoryCounts", "content", "period", "totalPeriod", "template",
    "dryRun", "notPrinted", "skippedDuplicates", "batchId",
}  # fmt: skip


def test_a_preview_and_its_export_are_the_same_bytes_and_only_the_export_writes(api, picked):
    before = everything()
    wish = {"report_tag": "2026-05-01-AM", "template": "zongbao"}
    preview = api.post(f"{HERE}/export", wish | {"dry_run": True}).json()
    assert everything() == before
    assert preview.keys() >= FIELDS
    assert (preview["count"], preview["dryRun"], preview["batchId"]) == (2, True, None)
    done = api.post(f"{HERE}/export", wish | {"expectedSha256": preview["sha256"]}).json()
    assert done["content"] == preview["content"]
    assert done["notPrinted"] == [{"articleId": "out-plus", "reason": "bucket-not-in-template"}]
    assert [each["articleId"] for each in done["items"]] == ["in-minus", "in-plus"]
    assert done["items"][0].keys() == {
        "articleId", "title", "summary", "score", "source", "llmSourceDisplay", "publishedAt", "sentiment", "region",
        "section",
    }  # fmt: skip
    assert [status for status, _rank in places("in-plus", "in-minus", "out-plus")] == [
        "exported",
        "exported",
        "selected",
    ]
    assert api.get(f"/api/v1/exports/batches/{done['batchId']}").json()["content"] == done["content"]


def test_a_preview_of_nothing_is_empty_and_an_export_of_nothing_is_refused(api, shipped_templates):
    answer = api.post(f"{HERE}/export", {"dryRun": True})
    assert (answer.status_code, answer.json()["count"]) == (200, 0)
    before = everything()
    problem(api.post(f"{HERE}/export", {}), 400)
    assert everything() == before


@pytest.mark.parametrize(
    "wish",
    [
        {"template": "nobody's"}, {"template": "x" * 60}, {"reportTag": LONG}, {"reportTag": "a\nb"},
        {"outputPath": "../../etc/passwd"}, {"outputPath": "/etc/passwd"}, {"outputPath": "a/../../b"},
        {"period": 0}, {"totalPeriod": 10**20}, {"period": "one"}, {"reportDate": "yesterday"},
        {"reportDate": "2026-02-30"}, {"expectedSha256": "abc"}, {"articleIds": ["nobody's"]},
        {"markExported": "maybe"}, {"nope": 1},
    ],
)  # fmt: skip
@pytest.mark.parametrize("dry_run", [True, False])
def test_a_wish_for_a_brief_that_makes_no_sense_is_refused_and_writes_nothing(api, picked, wish, dry_run):
    before = everything()
    problem(api.post(f"{HERE}/export", wish | {"dryRun": dry_run}), 400)
    assert everything() == before


def test_an_export_whose_preview_is_outdated_is_refused(api, picked):
    before = everything()
    body = problem(api.post(f"{HERE}/export", {"expectedSha256": "0" * 64}), 409, "preview-outdated")
    assert len(body["sha256"]) == 64
    assert everything() == before


def test_an_export_sent_twice_with_one_key_is_done_once(client_of, operator, picked):
    api = client_of(operator)
    headers = {f"HTTP_{IDEMPOTENCY_KEY.upper().replace('-', '_')}": "key-1"}
    first = api.post(f"{HERE}/export", {"reportTag": "2026-05-01"}, **headers)
    again = api.post(f"{HERE}/export", {"reportTag": "2026-05-01"}, **headers)
    assert first.status_code == again.status_code == 200
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json() == first.json()
    assert ManualExportBatch.objects.count() == ExportRun.objects.count() == 1
