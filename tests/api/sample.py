"""Views that exist only here: audit events and groups stand in for a domain's rows."""

from decimal import Decimal

import django_filters
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import DataError, OperationalError
from django.db.models import ProtectedError
from django.http import Http404
from django.urls import include, path
from rest_framework import serializers
from rest_framework.exceptions import Throttled
from rest_framework.parsers import MultiPartParser
from rest_framework.response import Response

from access.models import AuditEvent
from api.conditional import ConditionalRetrieve, etag, require_match
from api.fallbacks import unknown_route
from api.filters import BooleanFilter, FilterSet, WholeNumberFilter
from api.idempotency import idempotent
from api.pagination import LogPagination
from api.parsers import JSONParser
from api.problems import Problem, register
from api.routing import Router
from api.serializers import JSONField, ModelSerializer, Serializer
from api.throttles import ResetAll
from api.views import OpsView, OpsViewSet, accepted

handler500 = "api.fallbacks.server_error"


class ShelfIsFull(Exception):
    slug = "shelf-full"
    message = "The shelf is full."
    extra = {"freePlaces": 0}
    retry_after = 7


register(ShelfIsFull, status=409)

FAILURES = {
    "registered": ShelfIsFull(),
    "problem": Problem("too-few", title="Too few", status=400, detail="Only 3.", available=3),
    "gone": Http404("No AuditEvent matches the given query."),
    "in-use": ProtectedError("secret table names", set()),
    "throttled": Throttled(wait=12),
    "django": ValidationError({"report_tag": [ValidationError("Too %(how)s.", code="long", params={"how": "long"})]}),
    "database": OperationalError("connection to server at 10.0.0.7 failed"),
    "data": DataError("integer out of range"),
    "bug": RuntimeError("secret internals"),
}


class InnerSerializer(Serializer):
    line_count = serializers.IntegerField(min_value=0)


class WishSerializer(Serializer):
    report_tag = serializers.CharField(max_length=20)
    unit_price = serializers.DecimalField(max_digits=8, decimal_places=3, required=False)
    free_data = JSONField(required=False)
    first_parts = InnerSerializer(many=True, required=False)
    sequence_no = serializers.IntegerField(read_only=True)
    shown_name = serializers.SerializerMethodField()

    def get_shown_name(self, wish: dict) -> str:
        return f"«{wish['report_tag']}»"

    def validate_report_tag(self, value: str) -> str:
        if value == "forbidden":
            raise serializers.ValidationError("Not this one.", code="forbidden")
        return value

    def validate(self, attrs: dict) -> dict:
        if attrs["report_tag"] == "clash":
            raise serializers.ValidationError({"unit_price": "It clashes."}, code="clash")
        return attrs


class EventSerializer(ModelSerializer):
    class Meta:
        model = AuditEvent
        fields = ("id", "object_name", "actor_name", "after", "created_at")


class EventFilters(FilterSet):
    actor_name = django_filters.CharFilter()
    is_anonymous = BooleanFilter(field_name="actor_id", lookup_expr="isnull")
    actor_id_max = WholeNumberFilter(field_name="actor_id", lookup_expr="lte")
    object_types = django_filters.MultipleChoiceFilter(field_name="object_type", choices=[("a", "A"), ("b", "B")])

    class Meta:
        model = AuditEvent
        fields = ("object_type",)


class EventViewSet(ConditionalRetrieve, OpsViewSet):
    queryset = AuditEvent.objects.order_by("object_type")  # ties everywhere, on purpose
    serializer_class = EventSerializer
    filterset_class = EventFilters
    plural = "events"
    version_field = "created_at"
    permissions = {"list": "access.view_auditevent", "retrieve": "access.view_auditevent", "create": "*"}
    extra_query_params = {"create": ("dryRun",)}

    def list(self, request):
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def create(self, request):
        wish = WishSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        return accepted(wish.data, location="/api/v1/events/1")

    def destroy(self, request, pk):
        """Declared by nobody in `permissions`, so it is closed."""
        raise AssertionError


class LogViewSet(EventViewSet):
    pagination_class = LogPagination
    plural = "log"
    filterset_class = None


class GroupViewSet(ConditionalRetrieve, OpsViewSet):
    queryset = Group.objects.order_by("name")
    plural = "groups"
    version_field = None
    permissions = {"retrieve": "*", "update": "*"}

    class serializer_class(ModelSerializer):
        class Meta:
            model = Group
            fields = ("id", "name")

    def update(self, request, pk):
        require_match(request, etag(pk, "7"))
        return Response({})


class FailingView(OpsView):
    permissions = {"get": "*"}

    def get(self, request, how):
        raise FAILURES[how]


class JobView(OpsView):
    """Creates work: an audit event stands for it."""

    permissions = {"post": "*"}
    extra_query_params = {"post": ("fast",)}
    throttles = {"post": ResetAll}
    parser_classes = [JSONParser, MultiPartParser]

    @idempotent
    def post(self, request, name):
        wish = JobSerializer(data={key: request.data[key] for key in request.data if key != "file"})
        wish.is_valid(raise_exception=True)
        event = AuditEvent.objects.create(action=name, after=wish.data)
        if wish.data["outcome"] == "conflict":
            raise ShelfIsFull
        response = accepted({"id": event.pk, "unitPrice": Decimal("1.10")}, location=f"/api/v1/jobs/{event.pk}")
        response["ETag"] = '"7"'
        if wish.data["outcome"] == "later":
            response.status_code = 303
        return response


class JobSerializer(Serializer):
    outcome = serializers.CharField(default="done")
    free_data = JSONField(required=False)


def broken_page(request):
    raise RuntimeError("secret internals outside DRF")


router = Router()
router.register("events", EventViewSet, basename="event")
router.register("log", LogViewSet, basename="log")
router.register("groups", GroupViewSet, basename="group")

urlpatterns = [
    path("api/v1/", include(router.urls)),
    path("api/v1/fail/<how>", FailingView.as_view()),
    path("api/v1/broken", broken_page),
    path("api/v1/jobs/<name>", JobView.as_view()),
    path("api/jobs/<name>", JobView.as_view()),
    path("api/", unknown_route),
]
