"""Clients of the roles, and problems as programs meet them."""

import pytest

PROBLEM = "application/problem+json"


@pytest.fixture
def api(operator, client_of):
    return client_of(operator)


@pytest.fixture
def admin_api(administrator, client_of):
    return client_of(administrator)


@pytest.fixture
def refused():
    """`refused(answer, 400, "slug")`: the problem, after checking that it is that one."""

    def check(answer, status, slug):
        assert (answer.status_code, answer["Content-Type"]) == (status, PROBLEM), answer.content
        assert answer.json()["type"] == f"/problems/{slug}"
        return answer.json()

    return check
