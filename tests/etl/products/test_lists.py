"""Lists of many rows: walked by key, found by index, with as many queries for 600 rows as for 60."""

import os
from html import unescape

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from api import bounded
from bench import lists
from bench.pages import BUFFERS_AT_MOST
from etl.models import Product, ProductChange

# The promise is made for 1,000,000 (python -m bench lists); fewer rows already tell an index from none
ROWS = {"short": 20_000, "ci": 50_000, "full": 200_000}[os.environ.get("FAULTS", "short")]
PATHS = sorted({name.partition("?")[0] for name in lists.pages(1)} - {"/admin/etl/watermark/"})
LOG = "/admin/etl/productchange/"


@pytest.fixture
def filled(transactional_db):
    lists.fill(600)


def hrefs(page, rel):
    """Where a page leads to by this relation."""
    part = page.partition(f'rel="{rel}" href="')[2]
    return unescape(part.partition('"')[0]) or None


def ids(answer):
    return [each.pk for each in answer.context["cl"].result_list]


def test_the_log_is_walked_to_its_end_and_back_without_an_offset(filled, viewer, desk_of):
    desk = desk_of(viewer)
    with CaptureQueriesContext(connection) as asked:
        answer, seen = desk.get(f"{LOG}?change_type__exact=CREATE"), []
        while True:
            seen.append(ids(answer))
            if (older := hrefs(answer.content.decode(), "next")) is None:
                break
            answer = desk.get(LOG + older)
    everything = list(ProductChange.objects.filter(change_type="CREATE").order_by("-pk").values_list("pk", flat=True))
    assert [each for page in seen for each in page] == everything
    assert not any("OFFSET" in query["sql"] for query in asked)
    back = []
    while newer := hrefs(answer.content.decode(), "prev"):
        answer = desk.get(LOG + newer)
        back.append(ids(answer))
    assert back == seen[-2::-1]


def test_another_filter_begins_at_its_newest_row(filled, viewer, desk_of):
    page = desk_of(viewer).get(f"{LOG}?older=100").content.decode()
    assert "?change_type__exact=CREATE&amp;older" not in page
    assert "?change_type__exact=CREATE" in page


@pytest.mark.parametrize("place", ["older=x", "newer=x", "older=99999999999999999999", "older=1&newer=1"])
def test_a_place_that_makes_no_sense_is_no_error(place, filled, viewer, desk_of):
    assert desk_of(viewer).get(f"{LOG}?{place}", follow=True).status_code == 200


@pytest.mark.parametrize(
    "path", sorted({name.partition("?")[0] for name in lists.pages(1)} - {"/admin/etl/watermark/"})
)
def test_a_list_costs_the_same_queries_at_3_rows_and_at_300(path, transactional_db, administrator, client, settings):
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}  # no total remembered

    def cost(rows):
        with connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {', '.join(lists.TABLES)} CASCADE")
        lists.fill(rows)
        with CaptureQueriesContext(connection) as asked:
            assert client.get(path).status_code == 200
        return len(asked)

    client.force_login(administrator)
    cost(15)  # what a process asks once, such as content types, an object's page asks only when there is the object
    few, many, more = cost(15), cost(1500), cost(3000)
    assert many == more
    assert few <= many <= few + 2  # of more than a page the number is asked for: what it may cost, and then it


@pytest.mark.timeout(600)
@pytest.mark.long
def test_no_filter_or_search_reads_a_table_from_the_first_row_on(transactional_db, administrator, client, monkeypatch):
    monkeypatch.setattr(bounded, "COUNT_MAY_COST", 200)  # else tables of this size are counted, which is cheap
    lists.fill(ROWS)
    client.force_login(administrator)
    costs = {name: lists.cost_of(client, address) for name, address in lists.pages(ROWS).items()}
    assert {name: tables for name, (_queries, _buffers, tables) in costs.items() if tables} == {}
    assert {name: buffers for name, (_q, buffers, _t) in costs.items() if buffers > BUFFERS_AT_MOST} == {}


def test_a_short_word_says_that_names_were_not_searched(filled, viewer, desk_of):
    desk = desk_of(viewer)
    assert "is short" in desk.get("/admin/etl/product/?q=ab").content.decode()
    assert "is short" not in desk.get("/admin/etl/product/?q=abc").content.decode()
    chinese = desk.get("/admin/etl/product/?q=ab", headers={"accept-language": "zh-hans"}).content.decode()
    assert "太短" in chinese


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("系带休", 600),
        ("CLOUDLINE", 600),
        ("S00000017", 1),
        ("s00000017", 0),
        ("RARE", 40),
        ("nothing", 0),
        ("%%%", 0),
    ],
)
def test_products_are_found_by_part_of_name_or_beginning_of_sku(word, found, filled, viewer, client_of):
    assert client_of(viewer).get("/api/v1/etl/products", {"q": word}).json()["total"] == found


def test_price_bounds_filter_alone_and_together(filled, viewer, client_of):
    api = client_of(viewer)

    def total(**asked):
        return api.get("/api/v1/etl/products", asked).json()["total"]

    cheap, dear = total(priceMax=5000), total(priceMin="5000.01")
    assert cheap + dear == 600
    assert total(priceMin="1000.00", priceMax=5000) == Product.objects.filter(price__gte=1000, price__lte=5000).count()
    assert 0 < total(priceMin="1000.00", priceMax=5000) < cheap
