"""The lists of distillations: what they count, how they filter and order, what they cost."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from distillations.models import Distillation, Topic
from distilled import distilled, execute, task, topics_of, used

pytestmark = pytest.mark.django_db
HERE = "/api/v1/distillation"


@pytest.fixture
def api(client_of, viewer):
    return client_of(viewer)


def listed(api, **query):
    answer = api.get(f"{HERE}/stats", query)
    assert answer.status_code == 200, answer.json()
    return answer.json()["distillations"]


def ids(rows):
    return [each["distillationId"] for each in rows]


# --- What is counted -----------------------------------------------------------------------------


def test_seven_topics_and_nine_uses_are_seven_and_nine(api):
    one, other = distilled(2, topics=7)
    of = task("completed", requested=4, generated_count=4)
    for number, topic in enumerate([*topics_of(one), *topics_of(one)[:2]]):
        used(one, topic=topic, of=of if number % 2 else None)
    rows = {each["distillationId"]: each for each in listed(api)}
    assert (rows[one.pk]["topicCount"], rows[one.pk]["usageCount"], rows[one.pk]["recordedCount"]) == (7, 9, 9)
    assert (rows[other.pk]["topicCount"], rows[other.pk]["usageCount"], rows[other.pk]["recordedCount"]) == (7, 0, 0)
    assert rows[other.pk]["lastUsedAt"] is None
    detail = api.get(f"{HERE}/{one.pk}").json()
    assert detail == rows[one.pk]
    history = api.get(f"{HERE}/{one.pk}/usage").json()["usageHistory"]
    assert detail["lastUsedAt"] == history[0]["usedAt"] == max(each["usedAt"] for each in history)


def test_a_counter_that_drifted_shows_beside_what_is_on_record(api):
    (one,) = distilled(1)
    used(one, times=2)
    execute("SET LOCAL pressroom.counters = 'mend'", "UPDATE distillations SET usage_count = 5")
    (row,) = listed(api)
    assert (row["usageCount"], row["recordedCount"]) == (5, 2)


def test_the_first_three_of_the_whole_table_are_recommended_on_whatever_page(api):
    rows = distilled(6)
    bare = distilled(1, topics=0)[0]
    used(rows[0], times=2)
    used(rows[4])
    marked = [rows[1].pk, rows[2].pk, rows[3].pk]
    assert {each["distillationId"] for each in listed(api) if each["isRecommended"]} == set(marked)
    for query in ({"search": "keyword 5"}, {"filterUsage": "used"}, {"page": 2, "pageSize": 4, "sortOrder": "desc"}):
        for row in listed(api, **query):
            assert row["isRecommended"] == (row["distillationId"] in marked)
            assert (row["recommendReason"] is not None) == row["isRecommended"]
    assert not next(each for each in listed(api) if each["distillationId"] == bare.pk)["isRecommended"]


def test_recommended_is_a_bare_list_as_things_are_now_without_those_that_have_no_topic(api):
    distilled(1, topics=0)
    one, two, three, four = distilled(4)
    assert ids(api.get(f"{HERE}/recommended").json()) == [one.pk, two.pk, three.pk]
    used(one)
    body = api.get(f"{HERE}/recommended", HTTP_ACCEPT_LANGUAGE="zh-hans").json()
    assert ids(body) == [two.pk, three.pk, four.pk]
    assert body[0] == {
        "distillationId": two.pk, "keyword": two.keyword, "usageCount": 0, "topicCount": 2, "isRecommended": True,
        "recommendReason": "使用次数最少（0 次）",
    }  # fmt: skip
    every = api.get(f"{HERE}/recommended?limit=100").json()
    assert [each["recommendReason"] for each in every] == ["Least used (0 times)"] * 3 + ["Least used (1 time)"]


def test_who_asks_in_chinese_reads_chinese(api):
    distilled(1)
    row = api.get(f"{HERE}/stats", HTTP_ACCEPT_LANGUAGE="zh-hans").json()["distillations"][0]
    assert (row["recommendReason"], row["providerLabel"]) == ("使用次数最少（0 次）", "人工")


# --- Filters and orders --------------------------------------------------------------------------


@pytest.fixture
def four(db):
    """Used 0, 1, 2 and 3 times; the last has no topic left, the second is by rules."""
    rows = distilled(4)
    for times, each in enumerate(rows[1:], 1):
        used(each, times=times)
    Topic.objects.filter(distillation=rows[3]).delete()
    Distillation.objects.filter(pk=rows[1].pk).update(provider="rules")
    return [each.pk for each in rows]


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ({}, [0, 1, 2, 3]),
        ({"sortOrder": "desc"}, [3, 2, 1, 0]),
        ({"sortBy": "created_at"}, [0, 1, 2, 3]),
        ({"sortBy": "created_at", "sortOrder": "desc"}, [3, 2, 1, 0]),
        ({"filterUsage": "all"}, [0, 1, 2, 3]),
        ({"filterUsage": "used"}, [1, 2, 3]),
        ({"filterUsage": "unused"}, [0]),
        ({"filterUsage": "used", "sortBy": "created_at", "sortOrder": "desc"}, [3, 2, 1]),
        ({"provider": "rules"}, [1]),
        ({"provider": "gemini"}, []),
        ({"hasTopics": "true"}, [0, 1, 2]),
        ({"hasTopics": "false"}, [3]),
        ({"usageCountMax": 1}, [0, 1]),
        ({"usageCountMax": 2**63 - 1}, [0, 1, 2, 3]),
        ({"usageCountMax": -1}, []),
        ({"search": "KEYWORD 3"}, [2]),
        ({"search": "word"}, [0, 1, 2, 3]),
        ({"search": "ke"}, [0, 1, 2, 3]),
        ({"search": "wo"}, []),
        ({"search": "%"}, []),
        ({"filterUsage": "used", "hasTopics": "true", "usageCountMax": 1, "search": "key"}, [1]),
    ],
)
def test_each_filter_and_order_finds_what_it_says(api, four, query, wanted):
    assert ids(listed(api, **query)) == [four[number] for number in wanted]


def test_a_chinese_keyword_is_found_by_its_beginning_and_from_three_characters_by_a_part(api):
    one = distilled(1, keyword="国际快递报价")[0]
    distilled(1, keyword="少儿编程")
    for words in ("国", "国际", "快递报", "国际快递报价", " 递报价 "):
        assert ids(listed(api, search=words)) == [one.pk]
    assert listed(api, search="快递") == []


def test_pages_hold_every_row_once_and_the_total(api):
    distilled(25, topics=1)
    pages = [api.get(f"{HERE}/stats?page={page}&pageSize=10").json() for page in (1, 2, 3)]
    seen = [each for page in pages for each in ids(page["distillations"])]
    assert (len(seen), len(set(seen))) == (25, 25)
    assert [(page["total"], page["page"], page["pageSize"]) for page in pages] == [(25, n, 10) for n in (1, 2, 3)]
    assert api.get(f"{HERE}/stats?page=9").json()["distillations"] == []


def test_the_forms_list_is_newest_first_and_paged(api):
    one, two, three = distilled(3, topics=0)
    assert [each["id"] for each in api.get(f"{HERE}/history").json()] == [three.pk, two.pk, one.pk]
    assert [each["id"] for each in api.get(f"{HERE}/history?page=2&pageSize=2").json()] == [one.pk]


def test_keywords_come_once_each_newest_first(api):
    for keyword in ("a", "b", "a", "比较"):
        Distillation.objects.create(keyword=keyword, provider="manual")
    assert api.get(f"{HERE}/keywords").json() == {"keywords": ["比较", "a", "b"], "more": False}
    assert api.get(f"{HERE}/keywords?search=比").json() == {"keywords": ["比较"], "more": False}


def test_keywords_are_those_of_a_thousand_and_say_that_there_are_more(api):
    distilled(1_001, topics=0)
    body = api.get(f"{HERE}/keywords").json()
    assert (len(body["keywords"]), body["more"], body["keywords"][0]) == (1_000, True, "keyword 1001")


def test_html_in_a_keyword_is_data(api):
    text = "<script>alert(1)</script>&amp;\"'"
    Distillation.objects.create(keyword=text, provider="manual")
    answer = api.get(f"{HERE}/stats")
    assert answer["Content-Type"] == "application/json"
    assert answer.json()["distillations"][0]["keyword"] == text
    assert api.get(f"{HERE}/keywords").json()["keywords"] == [text]


# --- What makes no sense -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("route", "parameter"),
    [
        ("stats?page=0", "page"),
        ("stats?page=-1", "page"),
        ("stats?pageSize=abc", "pageSize"),
        ("stats?pageSize=0", "pageSize"),
        ("stats?sortBy=keyword", "sortBy"),
        ("stats?sortOrder=down", "sortOrder"),
        ("stats?filterUsage=some", "filterUsage"),
        ("stats?provider=nobody", "provider"),
        ("stats?hasTopics=maybe", "hasTopics"),
        ("stats?usageCountMax=1.5", "usageCountMax"),
        ("stats?search=", "search"),
        ("stats?sort=usage", "sort"),
        ("stats?page=1&page=2", "page"),
        ("recommended?limit=0", "limit"),
        ("recommended?limit=101", "limit"),
        ("recommended?limit=three", "limit"),
        ("recommended?page=1", "page"),
        ("history?page=0", "page"),
        ("history?search=x", "search"),
        ("keywords?limit=1", "limit"),
        ("runs?status=lost", "status"),
        ("{pk}/usage-history?includeDeleted=1", "includeDeleted"),
        ("{pk}/usage-history?pageSize=x", "pageSize"),
        ("{pk}/usage?includeDeleted=true", "includeDeleted"),
        ("{pk}/topics?sortBy=id", "sortBy"),
        ("{pk}?x=1", "x"),
    ],
)
def test_a_parameter_that_makes_no_sense_is_named(api, route, parameter):
    pk = distilled(1)[0].pk
    answer = api.get(f"{HERE}/{route.format(pk=pk)}")
    assert answer.status_code == 400, answer.json()
    assert answer["Content-Type"] == "application/problem+json"
    assert [each["parameter"] for each in answer.json()["errors"]] == [parameter]


@pytest.mark.parametrize("route", ["", "/usage-history", "/usage", "/topics"])
@pytest.mark.parametrize("pk", ["999999999", "9" * 30, "9" * 5_000])
def test_one_that_nobody_has_is_not_found_in_the_documents_words(api, route, pk):
    for language, said in (("zh-hans", "蒸馏结果不存在"), ("en", "This distillation does not exist.")):
        answer = api.get(f"{HERE}/{pk}{route}", HTTP_ACCEPT_LANGUAGE=language)
        assert (answer.status_code, answer.json()["detail"]) == (404, said)


# --- What it costs -------------------------------------------------------------------------------


def queries_of(api, path):
    with CaptureQueriesContext(connection) as captured:
        answer = api.get(path)
    assert answer.status_code == 200
    return [query["sql"] for query in captured]


ROUTES = (
    "stats?pageSize={size}", "stats?pageSize={size}&search=keyword&hasTopics=true", "recommended?limit={size}",
    "history?pageSize={size}", "keywords", "{pk}/usage-history?pageSize={size}&includeDeleted=true",
    "{pk}/usage?pageSize={size}", "{pk}/topics?pageSize={size}",
)  # fmt: skip


def test_three_rows_cost_as_many_queries_as_three_hundred(api, monkeypatch):
    """Each page is full and followed by another, so that both also count the total."""
    monkeypatch.setattr("api.pagination._TOTAL_LIVES", 0)

    def costs(pk, size):
        return {route: queries_of(api, f"{HERE}/{route.format(pk=pk, size=size)}") for route in ROUTES}

    few = distilled(4, topics=4)
    used(few[0], times=4)
    api.get(f"{HERE}/recommended")  # what a token's first use costs
    three = costs(few[0].pk, 3)
    many = distilled(297, topics=1)
    Topic.objects.bulk_create(Topic(distillation=many[0], question=str(number)) for number in range(300))
    for _ in range(3):
        used(many[0], times=100)
    for route, queries in costs(many[0].pk, 100).items():
        assert len(queries) == len(three[route]), "\n".join(queries)
