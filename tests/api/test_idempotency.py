"""A POST with an Idempotency-Key is done once, however often it is sent."""

from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils import timezone

from access.models import AuditEvent
from api.models import IdempotencyKey
from api.services import expired_keys

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.api.sample")]

JOBS = "/api/v1/jobs/pack"


@pytest.fixture(autouse=True)
def _unthrottled(settings):
    rates = dict.fromkeys(settings.REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"])
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "DEFAULT_THROTTLE_RATES": rates}


def send(client, body=None, *, key="k-1", path=JOBS, **extra):
    return client.post(path, {} if body is None else body, HTTP_IDEMPOTENCY_KEY=key, **extra)


def jobs(name="pack"):
    return AuditEvent.objects.filter(action=name).count()


def test_the_same_request_is_answered_again_byte_for_byte(api):
    first, again = send(api), send(api)
    assert "Idempotent-Replayed" not in first
    assert again["Idempotent-Replayed"] == "true"
    assert jobs() == 1
    assert (again.status_code, again.content) == (first.status_code, first.content) == (202, first.content)
    assert b'"unitPrice":1.10' in again.content
    for name in ("Content-Type", "Location", "ETag", "Retry-After"):
        assert again[name] == first[name]


def test_without_a_key_every_request_is_a_new_one(api):
    assert {api.post(JOBS, {}).status_code for _ in range(2)} == {202}
    assert jobs() == 2
    assert not IdempotencyKey.objects.exists()


def test_another_body_with_the_same_key_is_refused_and_does_nothing(api, problem_of):
    send(api, {"freeData": 1})
    problem_of(send(api, {"freeData": 2}), 422, "idempotency-mismatch")
    problem_of(send(api, {"freeData": 1}, path=f"{JOBS}?fast=true"), 422, "idempotency-mismatch")
    assert jobs() == 1


@pytest.mark.parametrize(
    ("first", "again", "is_same"),
    [
        (b'{"freeData": {"a": 1, "b": [2]}}', b'{ "freeData":{"b":[2] ,"a":1} }', True),
        (b'{"freeData": "\xe6\x9d\xaf"}', b'{"freeData": "\\u676f"}', True),
        (b"", b"{}", True),
        (b'{"freeData": [1, 2]}', b'{"freeData": [2, 1]}', False),
        (b'{"freeData": 1.1}', b'{"freeData": 1.10}', False),
        (b'{"freeData": 1}', b'{"freeData": "1"}', False),
        (b'{"freeData": []}', b"{}", False),
    ],
)
def test_how_a_body_is_written_does_not_count_but_what_it_says(api, first, again, is_same):
    send(api, first, content_type="application/json")
    expected = 202 if is_same else 422
    assert send(api, again, content_type="application/json").status_code == expected


def upload(content, name="a.txt", field="file"):
    return {field: SimpleUploadedFile(name, content), "outcome": "done"}


@pytest.mark.parametrize(
    ("again", "is_same"),
    [
        (lambda: upload(b"text" * 50_000), True),
        (lambda: upload(b"text" * 49_999 + b"tex!"), False),
        (lambda: upload(b"text" * 50_000, name="b.txt"), False),
        (lambda: upload(b"text" * 50_000, field="outcome"), False),
    ],
)
def test_a_file_counts_by_its_content(api, again, is_same):
    assert send(api, upload(b"text" * 50_000), format="multipart").status_code == 202
    assert send(api, again(), format="multipart").status_code == (202 if is_same else 422)


def test_the_key_of_another_user_or_route_is_another_key_and_that_of_another_mount_is_not(api, client_of, operator):
    send(api)
    assert "Idempotent-Replayed" not in send(client_of(operator))
    assert "Idempotent-Replayed" not in send(api, path="/api/v1/jobs/sort")
    assert (jobs("pack"), jobs("sort")) == (2, 1)
    assert send(api, path="/api/jobs/pack")["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\there", "\x7f", "é", "键", "a\0b", "a\r\nb"])
def test_a_key_that_is_no_printable_ascii_is_refused(api, problem_of, key):
    body = problem_of(send(api, key=key.encode().decode("latin-1")), 400, "invalid-header")
    assert body["header"] == "Idempotency-Key"
    assert jobs() == 0


@pytest.mark.parametrize("key", ["x", "x" * 255, '"8e03978e-40d5"', "a b~!"])
def test_any_printable_ascii_will_do(api, key):
    send(api, key=key)
    assert send(api, key=key)["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize(("outcome", "status"), [("conflict", 409), ("later", 303)])
def test_only_a_success_is_kept(api, outcome, status):
    for _ in range(2):
        answer = send(api, {"outcome": outcome})
        assert answer.status_code == status
        assert "Idempotent-Replayed" not in answer
    assert not IdempotencyKey.objects.exists()


def test_a_refusal_undoes_what_the_view_had_written(api):
    send(api, {"outcome": "conflict"})
    assert jobs() == 0
    assert send(api, {"outcome": "done"}).status_code == 202


def test_a_role_that_was_taken_away_is_asked_before_the_stored_answer(api, client_of, viewer):
    send(api)
    viewer.is_active = False
    viewer.save(update_fields=["is_active"])
    assert send(api).status_code == 401


def age(hours):
    IdempotencyKey.objects.update(created_at=Now() - timedelta(hours=hours))


def test_a_key_lives_for_a_day_and_is_then_a_new_one(api):
    send(api, {"freeData": 1})
    age(hours=23.9)
    assert send(api, {"freeData": 1})["Idempotent-Replayed"] == "true"
    age(hours=24.1)
    assert "Idempotent-Replayed" not in send(api, {"freeData": 2})
    assert send(api, {"freeData": 2})["Idempotent-Replayed"] == "true"
    assert (jobs(), IdempotencyKey.objects.count()) == (2, 1)


def test_pruning_deletes_by_age_and_never_a_key_that_still_protects(api):
    send(api, key="living")
    age(hours=23)
    now = timezone.now()
    assert not expired_keys(now - timedelta(hours=1)).exists()
    age(hours=30)
    assert not expired_keys(now - timedelta(days=7)).exists()
    send(api, key="new")
    assert expired_keys(timezone.now()).delete()[0] == 1
    assert IdempotencyKey.objects.get().key == "new"


GOOD = {"route": "POST jobs", "key": "k", "fingerprint": "0" * 64, "status": 202}


@pytest.mark.parametrize(
    ("bad", "constraint"),
    [
        ({"key": "é"}, "idempotency_key_is_printable_ascii"),
        ({"key": ""}, "idempotency_key_is_printable_ascii"),
        ({"status": 409}, "idempotency_key_keeps_successes_only"),
        ({"fingerprint": "x"}, "idempotency_key_fingerprint_is_sha256"),
    ],
)
def test_what_must_not_be_stored_cannot_be(viewer, bad, constraint):
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        IdempotencyKey.objects.create(user=viewer, **GOOD | bad)


def test_one_answer_per_user_route_and_key(viewer):
    IdempotencyKey.objects.create(user=viewer, **GOOD)
    with pytest.raises(IntegrityError, match="one_answer_per_user_route_and_key"), transaction.atomic():
        IdempotencyKey.objects.create(user=viewer, **GOOD)


@pytest.mark.urls("config.urls")
def test_the_keys_are_shown_to_administrators_without_the_answers(desk_of, administrator, viewer):
    IdempotencyKey.objects.create(user=viewer, body="for the viewer only", **GOOD)
    for address in (
        "/admin/api/idempotencykey/",
        f"/admin/api/idempotencykey/{IdempotencyKey.objects.get().pk}/change/",
    ):
        page = desk_of(administrator).get(address)
        assert page.status_code == 200
        assert "POST jobs" in page.content.decode()
        assert "for the viewer only" not in page.content.decode()
        assert desk_of(viewer).get(address).status_code == 403
    assert desk_of(administrator).post("/admin/api/idempotencykey/add/", GOOD).status_code == 403
