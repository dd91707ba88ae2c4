"""Bearer tokens: shown once, kept as a hash, refused the moment they should be."""

import hashlib
from datetime import timedelta
from io import StringIO

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.utils import timezone
from rest_framework.test import APIClient

from access.models import AccessToken, AuditEvent
from access.services import authenticate_token, create_token, revoke_token

pytestmark = pytest.mark.django_db


def status_with(plaintext: str) -> int:
    return APIClient().get("/api/v1/me", HTTP_AUTHORIZATION=f"Bearer {plaintext}").status_code


def test_only_the_hash_of_a_token_is_stored(viewer):
    token, plaintext = create_token(viewer, name="nightly")
    assert plaintext.startswith("pr_")
    assert len(plaintext) == 3 + 43
    assert token.sha256 == hashlib.sha256(plaintext.encode()).hexdigest()
    stored = AccessToken.objects.filter(pk=token.pk).values().get()
    assert plaintext not in map(str, stored.values())
    assert plaintext not in str(list(AuditEvent.objects.values()))


def test_a_token_opens_the_door_for_its_user(viewer):
    _token, plaintext = create_token(viewer)
    assert authenticate_token(plaintext).user == viewer
    assert status_with(plaintext) == 200


@pytest.mark.parametrize("header", ["Bearer", "Bearer a b", "bearer pr_x", "Bearer \u00e9", "Bearer pr_"])
def test_a_malformed_or_unknown_token_is_401(header):
    response = APIClient().get("/api/v1/me", HTTP_AUTHORIZATION=header)
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == "Bearer"


def test_an_expired_token_is_refused(viewer):
    token, plaintext = create_token(viewer, days=1)
    past = timezone.now() - timedelta(seconds=1)
    AccessToken.objects.filter(pk=token.pk).update(created_at=past - timedelta(days=1), expires_at=past)
    assert status_with(plaintext) == 401


def test_a_revoked_token_is_refused_and_revoked_once(viewer, administrator):
    token, plaintext = create_token(viewer)
    assert revoke_token(token, actor=administrator) is True
    assert revoke_token(token, actor=administrator) is False
    assert status_with(plaintext) == 401
    event = AuditEvent.objects.get(action="token.revoked")
    assert (event.actor_name, event.object_id) == ("administrator", str(token.pk))


def test_an_inactive_user_is_refused(viewer):
    _token, plaintext = create_token(viewer)
    viewer.is_active = False
    viewer.save(update_fields=["is_active"])
    assert status_with(plaintext) == 401
    with pytest.raises(ValidationError):
        create_token(viewer)


def test_the_last_use_is_noted_at_most_once_a_minute(viewer):
    token, plaintext = create_token(viewer)
    authenticate_token(plaintext)
    token.refresh_from_db()
    first = token.last_used_at
    assert first is not None
    authenticate_token(plaintext)
    token.refresh_from_db()
    assert token.last_used_at == first
    AccessToken.objects.filter(pk=token.pk).update(last_used_at=first - timedelta(minutes=2))
    authenticate_token(plaintext)
    token.refresh_from_db()
    assert token.last_used_at >= first


def test_the_database_itself_refuses_a_plaintext_where_the_hash_belongs(viewer):
    token, plaintext = create_token(viewer)
    with pytest.raises(IntegrityError, match="access_token_sha256_is_hex"), transaction.atomic():
        AccessToken.objects.filter(pk=token.pk).update(sha256=plaintext)
    with pytest.raises(IntegrityError, match="access_token_expires_after_creation"), transaction.atomic():
        AccessToken.objects.filter(pk=token.pk).update(expires_at=token.created_at - timedelta(days=1))


def test_the_command_prints_the_token_alone(viewer):
    out, err = StringIO(), StringIO()
    call_command("create_token", "viewer", "--read-only", "--days", "7", "--name", "cron", stdout=out, stderr=err)
    plaintext = out.getvalue().strip()
    token = authenticate_token(plaintext)
    assert out.getvalue() == f"{plaintext}\n"
    assert err.getvalue() == ""
    assert (token.user, token.read_only, token.name) == (viewer, True, "cron")
    assert token.expires_at - token.created_at == pytest.approx(timedelta(days=7), abs=timedelta(minutes=1))
    assert AuditEvent.objects.get(action="token.created").actor_name == "command"


@pytest.mark.parametrize(
    "arguments",
    [["nobody"], ["viewer", "--days", "0"], ["viewer", "--days", "soon"], ["viewer", "--days", "99999999"],
     ["viewer", "--name", "x" * 101]],
)  # fmt: skip
def test_the_command_says_in_one_line_what_is_wrong(viewer, arguments):
    with pytest.raises(CommandError) as caught:
        call_command("create_token", *arguments)
    assert caught.value.returncode == 2
    assert "\n" not in str(caught.value)
    assert AccessToken.objects.count() == 0
