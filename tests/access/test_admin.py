"""The screens for users, tokens and the audit log."""

import re

import pytest
from django.contrib.auth.models import Group, User

from access.models import AccessToken, AuditEvent
from access.services import authenticate_token, create_token
from tests.conftest import make_user

pytestmark = pytest.mark.django_db
TOKENS = "/admin/access/accesstoken/"


def test_a_new_token_is_shown_once_and_its_hash_never(desk_of, administrator, viewer):
    desk = desk_of(administrator)
    wish = {"user": viewer.pk, "name": "console", "read_only": "on", "days": "30"}
    page = desk.post(f"{TOKENS}add/", wish, follow=True).content.decode()
    plaintext = re.search(r"pr_[\w-]{43}", page).group()
    token = authenticate_token(plaintext)
    assert (token.user, token.name, token.read_only) == (viewer, "console", True)
    assert AuditEvent.objects.get(action="token.created").actor_name == "administrator"
    for url in (TOKENS, f"{TOKENS}{token.pk}/change/"):
        page = desk.get(url).content.decode()
        assert token.prefix in page
        assert plaintext not in page
        assert token.sha256 not in page


@pytest.mark.parametrize("days", ["0", "-1", "99999", "x"])
def test_a_senseless_lifetime_is_refused(desk_of, administrator, viewer, days):
    page = desk_of(administrator).post(f"{TOKENS}add/", {"user": viewer.pk, "days": days})
    assert "errorlist" in page.content.decode()
    assert AccessToken.objects.count() == 0


def test_nobody_borrows_the_rights_of_a_superuser(desk_of, administrator):
    root = User.objects.create_superuser("root")
    desk = desk_of(administrator)
    assert "errorlist" in desk.post(f"{TOKENS}add/", {"user": root.pk}).content.decode()
    assert AccessToken.objects.count() == 0
    assert desk.post(f"/admin/auth/user/{root.pk}/password/", {}).status_code == 403
    assert (
        "is_superuser" not in desk.get(f"/admin/auth/user/{administrator.pk}/change/").context["adminform"].form.fields
    )


def test_tokens_are_revoked_by_those_who_may(desk_of, client, administrator, viewer):
    token, plaintext = create_token(viewer)
    wish = {"action": "revoke", "_selected_action": [token.pk]}
    desk_of(viewer).post(TOKENS, wish)
    assert authenticate_token(plaintext) is not None
    desk_of(administrator).post(TOKENS, wish)
    assert authenticate_token(plaintext) is None
    assert AuditEvent.objects.get(action="token.revoked").actor_name == "administrator"


def test_a_viewer_reads_the_audit_and_nobody_edits_it(desk_of, viewer, administrator):
    event = AuditEvent.objects.create(action="thing.done", object_name="The thing")
    for user in (viewer, administrator, User.objects.create_superuser("root")):
        desk = desk_of(user)
        assert "The thing" in desk.get("/admin/access/auditevent/?action=thing.done").content.decode()
        url = f"/admin/access/auditevent/{event.pk}"
        assert desk.get(f"{url}/change/").status_code == 200
        assert desk.post(f"{url}/change/", {"action": "y"}).status_code == 403
        assert desk.post(f"{url}/delete/", {"post": "yes"}).status_code == 403
        assert desk.get("/admin/access/auditevent/add/").status_code == 403


def test_changes_of_users_and_roles_are_audited(desk_of, administrator, stranger):
    desk = desk_of(administrator)
    role = Group.objects.get(name="viewer")
    url = f"/admin/auth/user/{stranger.pk}/change/"
    form = desk.get(url).context["adminform"].form
    values = {name: value for name, value in form.initial.items() if isinstance(value, str | bool) and value}
    joined = {"date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"}
    answer = desk.post(url, {**values, **joined, "groups": [role.pk]})
    assert answer.status_code == 302, answer.context["adminform"].errors
    assert list(stranger.groups.all()) == [role]
    event = AuditEvent.objects.get(action="user.changed")
    assert (event.actor_name, event.object_name) == ("administrator", "stranger")
    assert "Groups" in str(event.after)

    someone = make_user("someone")
    desk.post(f"/admin/auth/user/{someone.pk}/delete/", {"post": "yes"})
    assert AuditEvent.objects.get(action="user.deleted").object_name == "someone"
