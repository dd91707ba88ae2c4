"""The router of every app's api/urls.py."""

from rest_framework.routers import SimpleRouter


class Router(SimpleRouter):
    """No trailing slash, ids by the viewset's lookup_value_regex; DELETE of a collection is an action `clear`."""

    def __init__(self) -> None:
        super().__init__(trailing_slash=False)
        collection, *others = self.routes
        self.routes = [collection._replace(mapping={**collection.mapping, "delete": "clear"}), *others]  # type: ignore[call-arg, union-attr]
