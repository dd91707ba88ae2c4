"""The small cast of all tests, and how they come in: viewer, operator, administrator, stranger."""

import os
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import hypothesis
import pytest
from django.contrib.auth.models import Group, User
from django.utils import translation
from rest_framework.test import APIClient

import cleaning
from access.services import create_token
from api import shared_cache

EXAMPLES = {"short": 20, "ci": 100, "full": 500}
for _length, _examples in EXAMPLES.items():
    hypothesis.settings.register_profile(_length, max_examples=_examples, deadline=None)
hypothesis.settings.load_profile(os.environ.get("FAULTS", "short"))


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Bytes by the name of their parameter: a zip carries the time of day, and xdist's workers must agree on names."""
    return argname if isinstance(val, bytes) else None


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """The database of the session, emptied in our own way after tests that commit."""
    with django_db_blocker.unblock():
        cleaning.install()


@pytest.fixture(autouse=True)
def _own_language() -> Iterator[None]:
    """A request in Chinese leaves its language in the thread."""
    yield
    translation.deactivate()


@pytest.fixture(autouse=True)
def _quick_passwords(settings: Any) -> None:
    """The real hasher is slow on purpose: a third of a second for each password that is set or tried."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def _no_search_for_static_files(settings: Any) -> None:
    """Without DEBUG every new client begins with a walk through all static files: half the time of a short test."""
    settings.WHITENOISE_AUTOREFRESH = True


@pytest.fixture(autouse=True)
def _own_cache(settings: Any) -> None:
    """Nothing cached by another test is seen; clearing would flush the whole Redis, queues included."""
    cache = settings.CACHES["default"]
    settings.CACHES = {"default": {**cache, "KEY_PREFIX": f"test-{uuid4().hex}"}}
    shared_cache.resume()


def make_user(name: str, *, role: str | None = None, **kwargs: Any) -> User:
    """A user of one role; staff, so that admin screens open as far as the role allows."""
    user = User.objects.create_user(name, **{"is_staff": True, **kwargs})
    if role:
        user.groups.add(Group.objects.get(name=role))
    return user


@pytest.fixture
def viewer(db: None) -> User:
    """May read."""
    return make_user("viewer", role="viewer")


@pytest.fixture
def operator(db: None) -> User:
    """May also run things."""
    return make_user("operator", role="operator")


@pytest.fixture
def administrator(db: None) -> User:
    """May also reset, repair, and manage users and tokens."""
    return make_user("administrator", role="administrator")


@pytest.fixture
def stranger(db: None) -> User:
    """Signs in, and has no role."""
    return make_user("stranger")


@pytest.fixture
def client_of() -> Callable[..., APIClient]:
    """`client_of(user)`: an API client with that user's token; `read_only=True` for one that only reads.

    `client_of(None)` is anonymous. JSON in, JSON out.
    """

    def make(user: User | None, *, read_only: bool = False) -> APIClient:
        client = APIClient(raise_request_exception=False)
        if user is not None:
            _token, plaintext = create_token(user, read_only=read_only)
            client.credentials(HTTP_AUTHORIZATION=f"Bearer {plaintext}")
        client.default_format = "json"
        return client

    return make


@pytest.fixture
def desk_of(client: Any) -> Callable[[User], Any]:
    """`desk_of(user)`: a browser-like client signed in to the admin."""

    def make(user: User) -> Any:
        client.force_login(user)
        return client

    return make
