"""The sample workspace is made once and then left alone."""

import stat
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def var_dir(settings: Any, tmp_path: Path) -> Path:
    settings.DEBUG = True
    settings.VAR_DIR = tmp_path / "var"
    settings.DOCUMENTS_DIR = tmp_path / "documents"
    return settings.VAR_DIR


def load(*arguments: str) -> str:
    out = StringIO()
    call_command("load_sample", *arguments, stdout=out)
    return out.getvalue()


def test_it_makes_one_staff_user_per_role_whose_password_is_written_down(var_dir: Path) -> None:
    load()
    credentials = dict(line.split(" ") for line in (var_dir / "credentials.txt").read_text().splitlines())
    assert list(credentials) == ["admin", "operator", "viewer"]
    for name, password in credentials.items():
        user = User.objects.get(username=name)
        assert user.check_password(password)
        assert user.is_staff
    roles = {user.username: user.groups.get().name for user in User.objects.all()}
    assert roles == {"admin": "administrator", "operator": "operator", "viewer": "viewer"}


def test_the_credentials_can_be_read_by_nobody_else(var_dir: Path) -> None:
    load()
    assert stat.S_IMODE((var_dir / "credentials.txt").stat().st_mode) == 0o600


def test_a_second_call_changes_nothing(var_dir: Path) -> None:
    load()
    before = (var_dir / "credentials.txt").read_text(), list(User.objects.order_by("pk").values())
    assert "nothing to load" in load()
    assert before == ((var_dir / "credentials.txt").read_text(), list(User.objects.order_by("pk").values()))


def test_a_user_who_is_there_keeps_the_password(var_dir: Path) -> None:
    User.objects.create_user("operator", password="my own")
    load()
    assert User.objects.get(username="operator").check_password("my own")
    assert "operator" not in (var_dir / "credentials.txt").read_text()


def test_it_refuses_a_production_unless_told(settings: Any) -> None:
    settings.DEBUG = False
    with pytest.raises(CommandError, match="--yes"):
        load()
    assert not User.objects.exists()
    load("--yes")
    assert User.objects.count() == 3
