"""Routes of rules: how texts become JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from drf_spectacular.utils import OpenApiParameter, OpenApiTypes, extend_schema
from rest_framework import mixins, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.conditional import ConditionalRetrieve, etag_of_body, require_match
from api.filters import FilterSet, WholeNumberFilter
from api.idempotency import idempotent
from api.problems import CONTENT_TYPE
from api.serializers import JSONField, ModelSerializer, Serializer
from api.views import OpsViewSet
from etl.documents import rules
from etl.documents.api.tables import MOST_ID
from etl.documents.api.windows import WindowPagination
from etl.documents.choices import RuleMode
from etl.documents.models import ETLRule

_IF_MATCH = OpenApiParameter(
    "If-Match", {"type": "string"}, OpenApiParameter.HEADER, description="The ETag of the rule you have read."
)
_PROBLEM = OpenApiTypes.OBJECT


class RuleSerializer(ModelSerializer):
    """A rule; the queryset has its owner."""

    rule_id = serializers.IntegerField(source="pk", read_only=True)
    project_id = serializers.IntegerField(read_only=True, allow_null=True)
    owner = serializers.CharField(source="owner.username", default=None, read_only=True, allow_null=True)
    json_schema = JSONField(read_only=True)
    system_prompt = serializers.SerializerMethodField(help_text="What a model is told beside the schema.")
    may_manage = serializers.SerializerMethodField(help_text="Whether you may change and delete it.")

    class Meta:
        model = ETLRule
        fields = (
            "rule_id", "name", "description", "project_id", "owner", "json_schema", "system_prompt", "mode",
            "may_manage", "created_at", "updated_at",
        )  # fmt: skip
        read_only_fields = fields

    def get_system_prompt(self, rule: ETLRule) -> str | None:
        """Null for none."""
        return rule.system_prompt or None

    def get_may_manage(self, rule: ETLRule) -> bool:
        """The owner and administrators may."""
        return rules.may_manage(rule, self.context["request"].user)


class RuleEditSerializer(Serializer):
    """New values; what is left out stays."""

    name = serializers.CharField(max_length=255, required=False)
    description = serializers.CharField(required=False, allow_blank=True, trim_whitespace=False)
    project_id = serializers.IntegerField(
        min_value=1, max_value=MOST_ID, required=False, allow_null=True,
        help_text="Its members may use the rule; without one only its owner may.",
    )  # fmt: skip
    json_schema = JSONField(required=False, help_text="A JSON Schema of an object.")
    system_prompt = serializers.CharField(
        required=False, allow_blank=True, allow_null=True, trim_whitespace=False, max_length=100_000
    )
    mode = serializers.ChoiceField(RuleMode.choices, required=False)

    def validate_system_prompt(self, value: str | None) -> str:
        """Null is none."""
        return value or ""


class NewRuleSerializer(RuleEditSerializer):
    """A wish for a rule."""

    name = serializers.CharField(max_length=255)
    json_schema = JSONField(help_text="A JSON Schema of an object.")


class RuleFilter(FilterSet):
    """Filters of the list."""

    project_id = WholeNumberFilter("project_id")

    class Meta:
        model = ETLRule
        fields = ("name", "mode")


class RuleViewSet(ConditionalRetrieve, mixins.ListModelMixin, OpsViewSet):
    """The caller's own rules, and those of projects that the caller sees."""

    queryset = ETLRule.objects.select_related("owner").order_by("-id")
    serializer_class = RuleSerializer
    filterset_class = RuleFilter
    pagination_class = WindowPagination
    version_field = None  # whether one may manage it changes without the row
    plural = "rules"
    permissions = {
        "list": "etl.view_etlrule",
        "retrieve": "etl.view_etlrule",
        "create": "etl.add_etlrule",
        "partial_update": "etl.change_etlrule",
        "destroy": "etl.delete_etlrule",
    }

    def get_queryset(self) -> Any:
        return super().get_queryset().visible_to(self.request.user)

    @extend_schema(request=NewRuleSerializer, responses={201: RuleSerializer, (404, CONTENT_TYPE): _PROBLEM})
    @idempotent
    def create(self, request: Request) -> Response:
        """Make a rule; it is the caller's."""
        wish = NewRuleSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        rule = rules.create_rule(ETLRule(**wish.validated_data), user=request.user, actor=request.user)
        shown = self.get_serializer(self.get_queryset().get(pk=rule.pk)).data
        return Response(shown, status=201, headers={"Location": f"{request.path}/{rule.pk}"})

    @extend_schema(
        parameters=[_IF_MATCH],
        request=RuleEditSerializer,
        responses={200: RuleSerializer, (412, CONTENT_TYPE): _PROBLEM},
    )
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change it for tasks that are shaped from now on; only the owner and administrators may.

        With `If-Match` 412 `stale` if somebody changed it after you read it.
        """
        rule: ETLRule = self.get_object()
        seen = self._seen(request, rule)
        wish = RuleEditSerializer(data=request.data)
        wish.is_valid(raise_exception=True)
        rules.change_rule(rule, wish.validated_data, seen=seen, user=request.user, actor=request.user)
        shown = self.get_serializer(self.get_object()).data
        return Response(shown, headers={"ETag": etag_of_body(rule.pk, shown)})

    @extend_schema(parameters=[_IF_MATCH], responses={204: None, (412, CONTENT_TYPE): _PROBLEM})
    def destroy(self, request: Request, pk: str) -> Response:
        """Delete it; only the owner and administrators may. 409 `rule-in-use` while open tasks need it."""
        rule: ETLRule = self.get_object()
        rules.delete_rule(rule, seen=self._seen(request, rule), actor=request.user)
        return Response(status=204)

    def _seen(self, request: Request, rule: ETLRule) -> datetime | None:
        """Which version the client has seen, if it says so; the service looks again under the lock."""
        if "If-Match" not in request.headers:
            return None
        require_match(request, etag_of_body(rule.pk, self.get_serializer(rule).data))
        return rule.updated_at
