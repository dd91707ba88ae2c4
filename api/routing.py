"""The router of every app's api/urls.py."""

from rest_framework.routers import SimpleRouter


class Router(SimpleRouter):
    """No trailing slash, ids by the viewset's lookup_value_regex."""

    def __init__(self) -> None:
        super().__init__(trailing_slash=False)
