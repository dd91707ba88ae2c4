"""Bench api measures what it says it does; no test looks at a time."""

import pytest

from bench.api import BARE, Route, rows
from bench.api.rows import TABLE_OF, addresses, page_size
from bench.pages import without_caches
from benches import FIELDS
from distilled import drift


def route(**values):
    facts = {
        "name": "r", "rows": 1, "small": [1, 2, 3], "large": [1, 2, 3], "bare": [1, 2, 3], "queries": 4, "buffers": 5,
        "cpu": 0.001, "peak_rss": 2**20, "wal": 0.0,
    }  # fmt: skip
    return Route(**(facts | values)).as_json()


def test_what_keeps_the_promise_misses_nothing_and_has_the_fields_of_every_bench():
    told = route(large=[3.0, 6.0, 9.0], buffers=2_000)
    assert told["misses"] == []
    assert set(told) >= FIELDS
    assert (told["timesSmall"], told["timesBare"], told["ratioToLimit"]) == (3.0, 3.0, 0.333)


@pytest.mark.parametrize(
    ("values", "missed"),
    [
        ({"large": [1, 6.1, 9]}, "more than 3 times the p95 of 10,000 rows"),
        ({"buffers": 2_001}, "more than 2,000 buffers"),
        ({"large": [3.1, 4, 5]}, "more than 3 times the bare view"),
    ],
)
def test_what_does_not_is_named(values, missed):
    assert route(**values)["misses"] == [missed]


def test_every_route_stands_beside_a_table_and_as_many_of_its_rows():
    names = addresses(1_000)
    assert {name.split("?")[0] for name in names} == set(TABLE_OF)
    assert names.keys() == addresses(1_000_000).keys()
    assert [page_size(name) for name in ("articles", "articles?pageSize=100", "manual_filter/candidates")] == [
        10, 100, 30,
    ]  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_every_route_answers_and_the_bare_view_gives_as_many_rows(client, admin_user):
    rows.fill(1_000)
    assert drift() == []
    client.force_login(admin_user)
    with without_caches(ROOT_URLCONF="bench.api.bare"):
        for name, address in rows.addresses(1_000).items():
            answer = client.get(rows.PREFIX + address)
            assert answer.status_code == 200, (name, answer.content)
            bare = client.get(f"{BARE}/{rows.TABLE_OF[name.split('?')[0]]}?pageSize={rows.page_size(name)}")
            assert len(bare.json()) == rows.page_size(name)
