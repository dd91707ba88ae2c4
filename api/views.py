"""What every view of the API shares."""

from typing import Any, ClassVar

from django.utils.translation import gettext as _
from drf_spectacular.renderers import (
    OpenApiJsonRenderer,
    OpenApiJsonRenderer2,
    OpenApiYamlRenderer,
    OpenApiYamlRenderer2,
)
from drf_spectacular.views import SpectacularAPIView
from rest_framework.exceptions import ErrorDetail
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from api.problems import ParameterError


class StrictQuery(APIView):
    """Refuses query parameters nobody declared: a filter that is silently ignored makes wrong lists."""

    # one list for all actions, or one per action (or lower-case method)
    extra_query_params: ClassVar[tuple[str, ...] | dict[str, tuple[str, ...]]] = ()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)  # who may not come in learns nothing about parameters
        known = self.known_query_params(request)
        errors = {
            name: [ErrorDetail(_("There is no such parameter."), code="unknown-parameter")]
            for name in request.query_params
            if name not in known
        }
        errors |= {
            name: [ErrorDetail(_("Text may not contain the NUL character."), code="nul-character")]
            for name, values in request.query_params.lists()
            if name in known and any("\0" in value for value in values)
        }
        if errors:
            raise ParameterError(errors)

    def known_query_params(self, request: Request) -> set[str]:
        """The parameters this request may carry."""
        extra = self.extra_query_params
        if isinstance(extra, dict):
            key = getattr(self, "action", None) or str(request.method).lower().replace("head", "get")
            extra = extra.get(key, ())
        return set(extra)


class OpsView(StrictQuery):
    """One route that is no collection; `permissions` and `extra_query_params` go by method."""

    permissions: ClassVar[dict[str, str]] = {}


class SchemaView(StrictQuery, SpectacularAPIView):
    """The OpenAPI description, as JSON or (by Accept) YAML; any signed-in user may read it."""

    # access.permissions.SIGNED_IN, spelt out because api imports no room
    permissions: ClassVar[dict[str, str]] = {"get": "*"}
    permission_classes = api_settings.DEFAULT_PERMISSION_CLASSES  # spectacular would let anybody in
    renderer_classes = [OpenApiJsonRenderer2, OpenApiJsonRenderer, OpenApiYamlRenderer2, OpenApiYamlRenderer]


class OpsViewSet(StrictQuery, GenericViewSet):
    """A collection and its rows.

    A view declares `permissions` by action (what is not declared is refused), `plural` for the
    envelope, and `list_actions` where more than `list` is paged and filtered.
    """

    permissions: ClassVar[dict[str, str]] = {}
    plural: ClassVar[str] = "items"
    list_actions: ClassVar[frozenset[str]] = frozenset({"list"})
    lookup_value_regex = "[0-9]+"  # so that /things/stats is never taken for an id; \d takes any script's digits

    def known_query_params(self, request: Request) -> set[str]:
        known = super().known_query_params(request)
        if self.action in self.list_actions:
            known |= set(getattr(self.paginator, "parameters", ()))
            backends: Any = self.filter_backends  # FilterBackend or one that answers parameters() like it
            for backend in backends:
                known |= backend().parameters(self)
        return known


def accepted(data: Any, *, location: str, retry_after: int = 2) -> Response:
    """202 for work that now runs in the background: where to look, and when."""
    return Response(data, status=202, headers={"Location": location, "Retry-After": str(retry_after)})
