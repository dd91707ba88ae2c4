"""The modes of product sync from the API, the admin and the schedule."""

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError as Refused
from rest_framework.exceptions import ValidationError

from etl import tasks
from etl.models import ProductSyncRun, StagingProduct
from etl.products import sync
from etl.products.choices import Mode
from observed import NOON, counts

RUNS = "/api/v1/etl/product-runs"
DESK = "/admin/etl/productsyncrun/"
LABELS = {"full": ("Full compare", "全量比对"), "replay": ("Replay", "重放"), "rehash": ("Rehash", "重算版本")}


@pytest.fixture
def api(stage, operator, client_of):
    return client_of(operator)


@pytest.fixture
def five(stage, synced):
    for number in range(5):
        stage(str(number), minute=number)
    synced()


def worked(api, wish):
    """The run that this wish leads to, at its end."""
    asked = api.post(RUNS, wish)
    assert asked.status_code == 202, asked.json()
    sync.run_product_sync(asked.json()["id"])
    return api.get(asked["Location"]).json()


def test_a_full_run_is_asked_for_and_told(api, five):
    StagingProduct.objects.filter(style_no="3").delete()
    refused = worked(api, {"full": True})
    assert (refused["mode"], refused["maxDeletePercent"], refused["deleted"]) == ("full", 10, 0)
    assert refused["error"]["slug"] == "too-many-deletes"
    assert refused["error"]["detail"] == "1 / 5 = 20.0 % > 10 %"
    # what the specification lists as the body, all of it at once
    told = worked(api, {"limit": 2, "resume": True, "dryRun": True, "full": True, "maxDeletePercent": 20})
    assert (told["dryRun"], told["deleted"], told["differences"][-1]["type"]) == (True, 1, "DELETE")
    done = worked(api, {"full": True, "maxDeletePercent": 20})
    assert (done["status"], done["deleted"], done["resume"]) == ("completed", 1, False)
    assert [run["id"] for run in api.get(f"{RUNS}?mode=full").json()["runs"]] == [
        done["id"], told["id"], refused["id"],
    ]  # fmt: skip


def test_a_replay_is_asked_for_and_told(api, five):
    window = {"since": (NOON + timedelta(minutes=1)).isoformat(), "until": "2026-03-01T20:02:00"}  # Shanghai
    done = worked(api, window)
    assert (done["mode"], done["read"], done["unchanged"]) == ("replay", 2, 2)
    by_key = worked(api, {"keys": [{"brandCode": " BRAND", "sku": "4"}, {"brandCode": "B/C", "sku": "x,y"}]})
    assert (by_key["read"], by_key["keysNotFound"]) == (1, 1)
    assert by_key["firstKeysNotFound"] == [{"brandCode": "B/C", "sku": "x,y"}]


def test_a_rehash_is_asked_for_and_told(api, five):
    done = worked(api, {"rehash": True})
    assert (done["mode"], done["read"], done["unchanged"], done["phase"]) == ("rehash", 5, 5, "done")


@pytest.mark.parametrize(
    ("wish", "pointer"),
    [
        ({"full": "perhaps"}, "#/full"),
        ({"full": True, "rehash": True}, "#/rehash"),
        ({"full": True, "maxBatches": 1}, "#/maxBatches"),
        ({"full": True, "maxDeletePercent": 101}, "#/maxDeletePercent"),
        ({"full": True, "maxDeletePercent": 10**30}, "#/maxDeletePercent"),
        ({"maxDeletePercent": 5}, "#/maxDeletePercent"),
        ({"since": "yesterday"}, "#/since"),
        ({"since": "9999-12-31T23:59:59Z"}, "#/since"),
        ({"since": "2026-02-01", "until": "2026-01-01"}, "#/until"),
        ({"since": "2026-02-01T00:00", "until": "2026-01-01T00:00"}, "#/until"),
        ({"since": "2026-02-01T00:00", "rehash": True}, "#/since"),
        ({"keys": []}, "#/keys"),
        ({"keys": "B/1"}, "#/keys"),
        ({"keys": [{"brandCode": "B"}]}, "#/keys/0/sku"),
        ({"keys": [{"brandCode": "B", "sku": "x" * 65}]}, "#/keys"),
        ({"keys": [{"brandCode": "B", "sku": "1"}], "resume": False}, "#/resume"),
    ],
)
def test_a_wrong_wish_is_pointed_at_and_starts_nothing(api, wish, pointer):
    answer = api.post(RUNS, wish)
    assert answer.status_code == 400, answer.json()
    assert pointer in {error["pointer"].removesuffix("/nonFieldErrors") for error in answer.json()["errors"]}
    assert not ProductSyncRun.objects.exists()


def test_a_wrong_combination_is_told_in_the_reader_s_language(api):
    answer = api.post(RUNS, {"full": True, "maxBatches": 1}, headers={"accept-language": "zh-hans"})
    assert answer.json()["errors"][0]["detail"] == "不能与此模式同用：全量比对。"


def test_too_many_keys_are_refused(api, monkeypatch):
    monkeypatch.setattr("etl.products.wishes.KEYS_AT_MOST", 2)
    answer = api.post(RUNS, {"keys": [{"brandCode": "B", "sku": str(number)} for number in range(3)]})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "#/keys")


@pytest.mark.parametrize("button", ["full_compare", "replay", "rehash"])
def test_a_button_asks_first_and_only_operators_have_it(button, five, viewer, operator, desk_of):
    assert desk_of(viewer).post(f"{DESK}do/{button}/", {"confirmed": "1"}).status_code == 403
    desk = desk_of(operator)
    asked = desk.post(f"{DESK}do/{button}/")
    assert (asked.status_code, 'name="dry_run"' in asked.content.decode()) == (200, True)
    assert ProductSyncRun.objects.count() == 1


@pytest.mark.parametrize(
    ("button", "answers", "options"),
    [
        ("full_compare", {"max_delete_percent": "25", "shards": "2"}, {"mode": Mode.FULL, "max_delete_percent": 25}),
        ("full_compare", {"max_delete_percent": "0", "shards": "1", "dry_run": "on"}, {"dry_run": True}),
        ("replay", {"keys": "BRAND/1\n\n BRAND/x,y \n"}, {"keys": [["BRAND", "1"], ["BRAND", "x,y"]]}),
        ("replay", {"since_0": "2026-03-01", "since_1": "20:00:00"}, {"mode": Mode.REPLAY, "since": NOON}),
        ("rehash", {}, {"mode": Mode.REHASH, "dry_run": False}),
    ],
)  # fmt: skip
def test_a_button_queues_what_was_asked_for_and_the_page_tells_it(button, answers, options, five, operator, desk_of):
    desk = desk_of(operator)
    answer = desk.post(f"{DESK}do/{button}/", {"confirmed": "1", **answers})
    run = ProductSyncRun.objects.latest("id")
    assert answer["Location"] == f"{DESK}{run.pk}/change/"
    assert {name: getattr(run, name) for name in options} == options
    sync.run_product_sync(run.pk)
    for language, label in zip(("en", "zh-hans"), LABELS[run.mode], strict=True):
        for address in (answer["Location"], f"{DESK}?mode={run.mode}"):
            page = desk.get(address, headers={"accept-language": language})
            assert page.status_code == 200
            assert label in page.content.decode()


@pytest.mark.parametrize(
    ("button", "answers", "says"),
    [
        ("full_compare", {"max_delete_percent": "101"}, "less than or equal to 100"),
        ("replay", {}, "Say which rows to read"),
        ("replay", {"keys": "BRAND"}, "is not of the form BRAND/SKU"),
        ("replay", {"keys": "BRAND/"}, "names no product"),
        (
            "replay",
            {"since_0": "2026-03-02", "since_1": "00:00", "until_0": "2026-03-01", "until_1": "00:00"},
            "The end lies before the beginning.",
        ),
        ("replay", {"since_0": "9999-12-31", "since_1": "00:00"}, "No row has such a time."),
    ],
)
def test_wrong_answers_are_told_beside_their_field(button, answers, says, five, operator, desk_of):
    answer = desk_of(operator).post(f"{DESK}do/{button}/", {"confirmed": "1", **answers})
    assert answer.status_code == 422
    assert says in answer.content.decode()
    assert ProductSyncRun.objects.count() == 1


def test_a_schedule_may_ask_for_what_the_api_may(five):
    tasks.run_product_sync(full=True, maxDeletePercent=30)
    run = ProductSyncRun.objects.latest("id")
    assert (run.mode, run.max_delete_percent) == (Mode.FULL, 30)


@pytest.mark.parametrize(
    ("wish", "error"),
    [({"fast": True}, ValidationError), ({"limit": 0}, ValidationError), ({"full": True, "rehash": True}, Refused)],
)
def test_a_schedule_with_wrong_arguments_fails_and_starts_nothing(five, wish, error):
    with pytest.raises(error):
        tasks.run_product_sync(**wish)
    assert ProductSyncRun.objects.count() == 1


def test_an_ordinary_schedule_still_asks_for_an_ordinary_run(five):
    tasks.run_product_sync()
    run = ProductSyncRun.objects.latest("id")
    assert (run.mode, run.resume, counts(run)) == (Mode.SYNC, True, {})
