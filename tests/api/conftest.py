from collections.abc import Callable
from typing import Any

import pytest

PROBLEM = "application/problem+json"


@pytest.fixture
def api(viewer: Any, client_of: Callable[..., Any]) -> Any:
    return client_of(viewer)


@pytest.fixture
def problem_of() -> Callable[..., dict[str, Any]]:
    """`problem_of(response, 400, "slug")`: the body, after checking that it is that problem."""

    def check(response: Any, status: int, slug: str) -> dict[str, Any]:
        assert response.status_code == status, response.content
        assert response["Content-Type"] == PROBLEM
        body = response.json()
        assert body["type"] == f"/problems/{slug}"
        assert body["status"] == status
        assert body["title"]
        assert body["requestId"] == response["X-Request-ID"]
        return body

    return check
