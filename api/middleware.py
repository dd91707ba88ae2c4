"""What no request may carry, whichever door it comes to."""

from collections.abc import Callable

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse


class StorableCookies:
    """400 for a cookie with NUL: a quoted one hides it from the server in front, and no database looks it up."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if any("\0" in value for value in request.COOKIES.values()):
            raise BadRequest("a cookie contains NUL")
        return self.get_response(request)
