"""Roadmaps as programs meet them."""

import pytest

import workshop
from tests.conftest import make_user

PROBLEM = "application/problem+json"


@pytest.fixture
def api(operator, client_of):
    return client_of(operator)


@pytest.fixture
def other(client_of):
    """Another operator, to whom nothing of the first belongs."""
    return client_of(make_user("other", role="operator"))


@pytest.fixture
def made(operator):
    """A finished roadmap of the operator, with every content."""
    return workshop.roadmap(operator)


@pytest.fixture
def refused():
    """`refused(answer, 400, "slug")`: the problem, after checking that it is that one."""

    def check(answer, status, slug):
        assert (answer.status_code, answer["Content-Type"]) == (status, PROBLEM), answer.content
        assert answer.json()["type"] == f"/problems/{slug}"
        return answer.json()

    return check
