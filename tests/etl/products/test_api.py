"""Product sync as programs see it."""

from datetime import timedelta

import pytest
from django.db import connection

from etl.models import ProductSyncRun, RejectedRow
from etl.products import services, sync
from observed import NOON, log
from runs.querysets import seconds_from_now

RUNS = "/api/v1/etl/product-runs"


@pytest.fixture
def api(stage, operator, client_of):
    return client_of(operator)


@pytest.fixture
def three(stage, synced):
    """Three products, one of them changed since, and a reject."""
    stage("1", name="Mug", price="199", tags_json='["a", "b"]', attrs_json='{"size": "M", "weight": 1.10}')
    stage("2", name="杯子", price="20", tags_json='["b"]', on_sale="N", minute=1)
    changing = stage("3", name="Cup", price="5", minute=2)
    stage("4", price="x", minute=3)
    synced()
    changing.price = "6"
    changing.save(update_fields=["price"])
    return synced()


def names(answer, plural):
    assert answer.status_code == 200, answer.json()
    return [row["sku"] for row in answer.json()[plural]]


def test_a_wish_is_accepted_polled_and_worked_on(api, stage):
    stage("1")
    asked = api.post(RUNS, {"limit": 7, "dryRun": False})
    assert asked.status_code == 202
    run = asked.json()
    assert (run["status"], run["limit"], run["requestedBy"], run["stalled"]) == ("pending", 7, "operator", False)
    assert asked["Location"] == f"{RUNS}/{run['id']}"
    assert asked["Retry-After"] == "2"
    sync.run_product_sync(run["id"])
    done = api.get(asked["Location"]).json()
    assert (done["status"], done["created"], done["progress"]) == ("completed", 1, 100)
    assert done["watermarkAfter"]["id"] > 0
    assert done["watermarkBefore"] is None
    assert done["error"] is None


def test_either_spelling_is_taken_and_a_dry_run_stays_one(api, stage):
    stage("1")
    run = api.post(RUNS, {"dry_run": True, "max_rejects": 0}).json()
    sync.run_product_sync(run["id"])
    done = api.get(f"{RUNS}/{run['id']}").json()
    assert (done["dryRun"], done["created"], done["differences"][0]["sku"]) == (True, 1, "1")
    assert log() == []


def test_a_second_wish_is_a_conflict_that_names_the_run(api):
    first = api.post(RUNS, {}).json()["id"]
    second = api.post(RUNS, {})
    assert second.status_code == 409
    problem = second.json()
    assert (problem["type"], problem["runId"]) == ("/problems/run-active", first)
    assert ProductSyncRun.objects.count() == 1


@pytest.mark.parametrize(
    ("wish", "pointer"),
    [
        ({"limit": 0}, "#/limit"),
        ({"limit": "many"}, "#/limit"),
        ({"limit": 10**12}, "#/limit"),
        ({"lookback": -1}, "#/lookback"),
        ({"maxBatches": 0}, "#/maxBatches"),
        ({"resume": "perhaps"}, "#/resume"),
        ({"fast": True}, "#/fast"),
        ({"status": "completed"}, "#/status"),
    ],
)
def test_a_wrong_wish_is_pointed_at_and_starts_nothing(api, wish, pointer):
    answer = api.post(RUNS, wish)
    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert not ProductSyncRun.objects.exists()


def test_polling_an_unchanged_run_is_304_until_it_moves_or_stalls(api):
    where = api.post(RUNS, {})["Location"]
    seen = api.get(where)
    assert seen["Retry-After"] == "2"
    assert api.get(where, HTTP_IF_NONE_MATCH=seen["ETag"]).status_code == 304
    run = ProductSyncRun.objects.get()
    ProductSyncRun.objects.claim(run.pk)
    moved = api.get(where, HTTP_IF_NONE_MATCH=seen["ETag"])
    assert (moved.status_code, moved.json()["status"]) == (200, "running")
    ProductSyncRun.objects.filter(pk=run.pk).update(lease_until=seconds_from_now(-1))
    stalled = api.get(where, HTTP_IF_NONE_MATCH=moved["ETag"])
    assert (stalled.status_code, stalled.json()["stalled"]) == (200, True)


def test_an_open_run_is_cancelled_once(api):
    where = api.post(RUNS, {})["Location"]
    assert api.post(f"{where}/cancel").json()["status"] == "cancelled"
    again = api.post(f"{where}/cancel")
    assert (again.status_code, again.json()["type"]) == (409, "/problems/run-finished")


def test_a_failure_is_told_in_the_reader_s_language(api, stage):
    stage("1", price="x")
    run = services.request_sync(services.SyncOptions(max_rejects=0), actor="test")
    sync.run_product_sync(run.pk)
    error = api.get(f"{RUNS}/{run.pk}", HTTP_ACCEPT_LANGUAGE="zh-hans").json()["error"]
    assert error["slug"] == "too-many-rejects"
    assert error["text"] == "拒收行超过上限"


def test_a_source_that_lacks_a_column_is_a_clear_conflict(api):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE products_staging RENAME COLUMN style_no TO article")
    try:
        answer = api.post(RUNS, {})
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE products_staging RENAME COLUMN article TO style_no")
    assert answer.status_code == 409
    assert answer.json()["type"] == "/problems/source-unusable"
    assert "style_no" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("query", "skus"),
    [
        ("", ["1", "2", "3"]),
        ("brandCode=BRAND&sku=2", ["2"]),
        ("priceMin=6&priceMax=20", ["2", "3"]),
        ("tags=b", ["1", "2"]),
        ("tags=a,b", ["1"]),
        ('attributes={"size":"M"}', ["1", "2", "3"]),
        ('attributes={"weight":1.1}', ["1"]),
        ("onSale=false", ["2"]),
        ("isDeleted=true", []),
        ("changedSince=2999-01-01T00:00:00Z", []),
        ("page=2&pageSize=2", ["3"]),
    ],
)
def test_products_are_filtered(api, three, query, skus):
    assert names(api.get(f"/api/v1/etl/products?{query}"), "products") == skus


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("brand=x", "brand"),
        ("price__gte=1", "price__gte"),
        ("priceMin=cheap", "priceMin"),
        ("attributes=size", "attributes"),
        ("attributes=[1]", "attributes"),
        ("changedSince=yesterday", "changedSince"),
        ("onSale=perhaps", "onSale"),
        ("page=-1", "page"),
        ("pageSize=abc", "pageSize"),
        ("sku=%00", "sku"),
    ],
)
def test_a_wrong_parameter_is_named(api, query, parameter):
    answer = api.get(f"/api/v1/etl/products?{query}")
    assert answer.status_code == 400
    assert [error["parameter"] for error in answer.json()["errors"]] == [parameter]


def test_a_product_s_json_and_price_come_out_as_they_went_in(api, three):
    listed = api.get("/api/v1/etl/products?sku=1")
    assert b'"weight":1.10' in listed.content
    assert b'"price":199.00' in listed.content
    product = listed.json()["products"][0]
    detail = api.get(f"/api/v1/etl/products/{product['id']}")
    assert detail.json() == product
    assert api.get(f"/api/v1/etl/products/{product['id']}", HTTP_IF_NONE_MATCH=detail["ETag"]).status_code == 304


def test_changes_are_listed_newest_first_and_filtered(api, three):
    changes = api.get("/api/v1/etl/product-changes").json()
    assert [(c["changeType"], c["sku"]) for c in changes["changes"]] == [
        ("UPDATE", "3"),
        ("CREATE", "3"),
        ("CREATE", "2"),
        ("CREATE", "1"),
    ]
    assert changes["changes"][0]["changedFields"] == {"price": [5.00, 6.00]}
    assert names(api.get("/api/v1/etl/product-changes?changeType=UPDATE"), "changes") == ["3"]
    assert names(api.get(f"/api/v1/etl/product-changes?runId={three.pk}"), "changes") == ["3"]


def test_a_reject_is_listed_with_its_reason_and_can_be_retried(api, three):
    (row,) = api.get("/api/v1/etl/rejected-rows?resolved=false").json()["rejectedRows"]
    assert (row["sku"], row["reason"], row["field"], row["raw"]["price"]) == ("4", "price-not-a-number", "price", "x")
    still_bad = api.post(f"/api/v1/etl/rejected-rows/{row['id']}/retry").json()
    assert still_bad["resolvedAt"] is None
    with connection.cursor() as cursor:
        cursor.execute("UPDATE products_staging SET price = '4' WHERE style_no = '4'")
    mended = api.post(f"/api/v1/etl/rejected-rows/{row['id']}/retry").json()
    assert mended["resolution"] == "mended"
    assert not RejectedRow.objects.unresolved().exists()


def test_the_watermark_tells_place_and_lag(api, three):
    watermark = api.get("/api/v1/etl/watermark").json()
    assert watermark["source"] == "products_staging"
    assert watermark["position"]["at"].startswith((NOON + timedelta(hours=8, minutes=3)).strftime("%Y-%m-%dT%H:%M"))
    assert watermark["lagSeconds"] > 0


def test_a_source_never_read_has_no_watermark_yet(api):
    assert api.get("/api/v1/etl/watermark").json()["position"] is None


@pytest.mark.parametrize("path", ["product-runs", "products", "product-changes", "rejected-rows"])
def test_a_list_costs_the_same_queries_for_three_rows_and_for_thirty(
    api, stage, synced, path, django_assert_max_num_queries
):
    def queries():
        with django_assert_max_num_queries(50) as seen:
            assert api.get(f"/api/v1/etl/{path}?pageSize=100").status_code == 200
        return len(seen)

    def feed(numbers):
        for number in numbers:
            stage(str(number), minute=number)
            stage(f"bad{number}", minute=number, price="x")
            synced(max_batches=1)

    feed(range(3))
    queries()  # the first use of a token is noted
    few = queries()
    feed(range(3, 15))
    assert queries() == few
