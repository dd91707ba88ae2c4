"""What every view of the API shares."""

from typing import Any, ClassVar
from urllib.parse import unquote_to_bytes

from django.utils.translation import gettext as _
from drf_spectacular.renderers import (
    OpenApiJsonRenderer,
    OpenApiJsonRenderer2,
    OpenApiYamlRenderer,
    OpenApiYamlRenderer2,
)
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.exceptions import AuthenticationFailed, ErrorDetail
from rest_framework.renderers import TemplateHTMLRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from api.problems import ParameterError, Problem
from api.throttles import Anonymous, SignedIn, Throttle


class Door(APIView):
    """How a request comes in: who asks, how often, and with a body that can be read."""

    # by action (or lower-case method): the throttle of api.throttles that counts it beside those of everyone
    throttles: ClassVar[dict[str, type[Throttle]]] = {}

    def perform_authentication(self, request: Request) -> None:
        """Find out who asks, and refuse who asks too often before anything else is looked at."""
        try:
            is_known = request.user.is_authenticated
        except AuthenticationFailed:
            self._count(Anonymous(), request)
            raise
        self._count(SignedIn() if is_known else Anonymous(), request)

    def get_throttles(self) -> list[Any]:
        """Asked by DRF once the caller is let in."""
        declared = self.throttles.get(self.key(self.request))
        return [declared()] if declared else []

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        # Django takes a body without a length for no body at all, and a wish for one with defaults
        if "chunked" in request.headers.get("Transfer-Encoding", "").lower():
            raise Problem("length-required", status=411, detail=_("Send the body with a Content-Length."))

    def options(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Which methods there are (in Allow); what they mean is in the description."""
        return Response(status=204)

    def key(self, request: Request) -> str:
        """What `permissions`, `throttles` and the like go by: the action, or the lower-case method."""
        method = str(request.method).lower()
        return getattr(self, "action", None) or ("get" if method == "head" else method)

    def _count(self, throttle: Throttle, request: Request) -> None:
        if not throttle.allow_request(request, self):
            self.throttled(request, throttle.wait())


class StrictQuery(Door):
    """Refuses query parameters that say nothing: a filter that is silently ignored makes wrong lists."""

    # one list for all actions, or one per action (or lower-case method)
    extra_query_params: ClassVar[tuple[str, ...] | dict[str, tuple[str, ...]]] = ()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)  # who may not come in learns nothing about parameters
        self._refuse_what_is_no_text(request)
        known, lists = self.known_query_params(request), self.repeatable_query_params(request)
        may_be_empty = self.empty_query_params(request)
        errors = {
            name: [fault]
            for name, values in request.query_params.lists()
            if (fault := _fault(name, values, known=known, lists=lists, may_be_empty=may_be_empty))
        }
        if errors:
            raise ParameterError(errors)

    def known_query_params(self, request: Request) -> set[str]:
        """The parameters this request may carry."""
        extra = self.extra_query_params
        return set(extra.get(self.key(request), ()) if isinstance(extra, dict) else extra)

    def repeatable_query_params(self, request: Request) -> set[str]:
        """Those of them that may come more than once."""
        return set()

    def empty_query_params(self, request: Request) -> set[str]:
        """Those of them that mean something when empty."""
        return set()

    def _refuse_what_is_no_text(self, request: Request) -> None:
        """Django would read broken UTF-8 and lone surrogates as question marks, and filter by those."""
        try:
            unquote_to_bytes(request.META.get("QUERY_STRING", "").encode("latin-1")).decode()
        except UnicodeError as error:
            raise Problem("bad-request", detail=_("The query is not valid UTF-8.")) from error


def _fault(
    name: str, values: list[str], *, known: set[str], lists: set[str], may_be_empty: set[str]
) -> ErrorDetail | None:
    """What is wrong with a query parameter, whatever it means."""
    if name not in known:
        return ErrorDetail(_("There is no such parameter."), code="unknown-parameter")
    if len(values) > 1 and name not in lists:
        return ErrorDetail(_("Give it only once."), code="repeated-parameter")
    if any("\0" in value for value in values):
        return ErrorDetail(_("Text may not contain the NUL character."), code="nul-character")
    if name not in may_be_empty and not all(value.strip() for value in values):
        return ErrorDetail(_("It may not be empty; leave it out instead."), code="empty")
    return None


class OpsView(StrictQuery):
    """One route that is no collection; `permissions` and `extra_query_params` go by method."""

    permissions: ClassVar[dict[str, str]] = {}


class SchemaView(StrictQuery, SpectacularAPIView):
    """The OpenAPI description, as JSON or (by Accept) YAML; any signed-in user may read it."""

    # access.permissions.SIGNED_IN, spelt out because api imports no room
    permissions: ClassVar[dict[str, str]] = {"get": "*"}
    permission_classes = api_settings.DEFAULT_PERMISSION_CLASSES  # spectacular would let anybody in
    renderer_classes = [OpenApiJsonRenderer2, OpenApiJsonRenderer, OpenApiYamlRenderer2, OpenApiYamlRenderer]


@extend_schema(exclude=True)
class DocsView(StrictQuery):
    """Swagger UI on the description, from packaged files; for the same readers."""

    permissions: ClassVar[dict[str, str]] = {"get": "*"}
    renderer_classes = [TemplateHTMLRenderer]

    def get(self, request: Request) -> Response:
        return Response({"user": request.user}, template_name="api/docs.html")


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

    def repeatable_query_params(self, request: Request) -> set[str]:
        lists = super().repeatable_query_params(request)
        if self.action in self.list_actions:
            backends: Any = self.filter_backends
            for backend in backends:
                lists |= backend().repeatable(self)
        return lists

    def empty_query_params(self, request: Request) -> set[str]:
        return super().empty_query_params(request) | set(getattr(self.paginator, "may_be_empty", ()))


def accepted(data: Any, *, location: str, retry_after: int = 2) -> Response:
    """202 for work that now runs in the background: where to look, and when."""
    return Response(data, status=202, headers={"Location": location, "Retry-After": str(retry_after)})
