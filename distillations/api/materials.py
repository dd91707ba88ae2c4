"""Routes of what articles are written for and from: targets, settings, knowledge bases and their documents."""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.exceptions import ObjectDoesNotExist
from django.db import models
from django.http import Http404
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, serializers
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from api.conditional import ConditionalRetrieve
from api.idempotency import idempotent
from api.pagination import MAX_SIZE, EnvelopePagination
from api.serializers import ModelSerializer
from api.views import OpsViewSet
from distillations import materials, prompts
from distillations.api import filters
from distillations.api.serializers import DoneSerializer
from distillations.models import ArticleSetting, ConversionTarget, KnowledgeBase, KnowledgeDocument
from distillations.services import delete_materials

DOCUMENTS = "knowledge-bases/(?P<base_id>[0-9]+)/documents"
BASE = OpenApiParameter("base_id", int, OpenApiParameter.PATH)


# --- Shapes ------------------------------------------------------------------------------------


class MaterialSerializer(ModelSerializer):
    """A row whose fields existing clients read in snake_case is answered in both spellings."""

    read_in_snake_case: ClassVar[tuple[str, ...]] = ()

    def get_fields(self) -> dict[str, serializers.Field]:
        fields = super().get_fields()
        twins = {name: self._twin(name) for name in self.read_in_snake_case}
        return fields | twins

    def _twin(self, name: str) -> serializers.Field:
        """The same value under the name as Python spells it; on the way in both names mean the field itself."""
        field = super().get_fields()[self._spellings[name]]
        field.read_only, field.required, field.source = True, False, None
        return field


class ConversionTargetSerializer(MaterialSerializer):
    """A company."""

    read_in_snake_case = ("company_name", "created_at", "updated_at")

    class Meta:
        model = ConversionTarget
        fields = ("id", "company_name", "industry", "website", "address", "created_at", "updated_at")
        read_only_fields = ("id", "created_at", "updated_at")
        # whether a name is free only the database knows for sure, and then it is a conflict
        extra_kwargs: ClassVar[dict[str, Any]] = {"company_name": {"validators": []}}


class ArticleSettingSerializer(MaterialSerializer):
    """A named prompt."""

    read_in_snake_case = ("created_at", "updated_at")

    class Meta:
        model = ArticleSetting
        fields = ("id", "name", "prompt", "created_at", "updated_at")
        read_only_fields = ("id", "created_at", "updated_at")
        extra_kwargs: ClassVar[dict[str, Any]] = {
            "name": {"validators": []},
            "prompt": {
                "max_length": materials.LONGEST_PROMPT,
                "help_text": "Placeholders: " + " ".join(f"{{{name}}}" for name in prompts.PLACEHOLDERS),
            },
        }


class KnowledgeBaseSerializer(MaterialSerializer):
    """A knowledge base with_document_count()."""

    read_in_snake_case = ("document_count", "created_at", "updated_at")
    document_count = serializers.IntegerField(read_only=True)

    class Meta:
        model = KnowledgeBase
        fields = ("id", "name", "description", "document_count", "created_at", "updated_at")
        read_only_fields = ("id", "created_at", "updated_at")
        extra_kwargs: ClassVar[dict[str, Any]] = {
            "name": {"validators": []},
            "description": {"max_length": materials.LONGEST_DESCRIPTION},
        }


class KnowledgeDocumentSerializer(ModelSerializer):
    """A document with its text."""

    knowledge_base_id = serializers.IntegerField(read_only=True)

    class Meta:
        model = KnowledgeDocument
        fields = ("id", "knowledge_base_id", "title", "content", "created_at", "updated_at")
        read_only_fields = ("id", "created_at", "updated_at")
        extra_kwargs: ClassVar[dict[str, Any]] = {"content": {"max_length": materials.LONGEST_DOCUMENT}}


class DocumentInListSerializer(KnowledgeDocumentSerializer):
    """A document in a list: how long its text is."""

    content_length = serializers.IntegerField(read_only=True, help_text="Characters.")

    class Meta(KnowledgeDocumentSerializer.Meta):
        fields = ("id", "knowledge_base_id", "title", "content_length", "created_at", "updated_at")


# --- Lists -------------------------------------------------------------------------------------


class WholePagination(EnvelopePagination):
    """Clients that know no pages get as many rows as one page can have."""

    default_size = MAX_SIZE


class TargetsPagination(WholePagination):
    """`{"data": {"targets": […]}, "total": …}`, as an existing client reads it."""

    def get_paginated_response(self, data: Any) -> Response:
        envelope = super().get_paginated_response(data).data
        return Response({"data": {self.plural: envelope.pop(self.plural)}, **envelope})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        envelope = super().get_paginated_response_schema(schema)
        rows = {self.plural: envelope["properties"].pop(self.plural)}
        envelope["properties"]["data"] = {"type": "object", "required": [self.plural], "properties": rows}
        envelope["required"] = ["data", *envelope["required"][1:]]
        return envelope


# --- Routes ------------------------------------------------------------------------------------


class MaterialViewSet(ConditionalRetrieve, mixins.ListModelMixin, OpsViewSet):
    """List, read, create, change and delete; a kind names its table."""

    pagination_class = WholePagination
    # the row's time does not move with all that is answered of it, such as how many documents there are
    version_field = None

    @idempotent
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Store a new one; 409 `name-taken`."""
        wish = self.get_serializer(data=request.data)
        wish.is_valid(raise_exception=True)
        values = wish.validated_data | self.place()
        try:
            made = materials.create_material(self._model(), values, actor=request.user)
        except ObjectDoesNotExist as error:
            raise Http404 from error
        return Response(self._shown(made.pk), status=201, headers={"Location": f"{request.path}/{made.pk}"})

    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Change the fields that are given; 409 `name-taken`."""
        row = self.get_object()
        wish = self.get_serializer(row, data=request.data, partial=True)
        wish.is_valid(raise_exception=True)
        try:
            materials.change_material(row, wish.validated_data, actor=request.user)
        except ObjectDoesNotExist as error:
            raise Http404 from error
        return Response(self._shown(row.pk))

    @extend_schema(responses={200: DoneSerializer})
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Delete it; tasks and articles keep its name."""
        if not delete_materials(self._model(), [self.get_object().pk], actor=request.user):
            raise Http404
        return Response(DoneSerializer({"success": True, "message": _("It was deleted.")}).data)

    def place(self) -> dict[str, Any]:
        """What a new one is part of. Raises a 404."""
        return {}

    def _model(self) -> Any:
        assert self.queryset is not None
        return self.queryset.model

    def _shown(self, pk: int) -> Any:
        row: models.Model = get_object_or_404(self.get_queryset(), pk=pk)
        return self.get_serializer(row).data


class ConversionTargetViewSet(MaterialViewSet):
    """Companies that articles lead to."""

    queryset = ConversionTarget.objects.order_by("-id")
    serializer_class = ConversionTargetSerializer
    filterset_class = filters.ConversionTargetFilter
    pagination_class = TargetsPagination
    plural = "targets"
    permissions = {
        "list": "distillations.view_conversiontarget",
        "retrieve": "distillations.view_conversiontarget",
        "create": "distillations.add_conversiontarget",
        "partial_update": "distillations.change_conversiontarget",
        "destroy": "distillations.delete_conversiontarget",
    }


class ArticleSettingViewSet(MaterialViewSet):
    """Prompts."""

    queryset = ArticleSetting.objects.order_by("-id")
    serializer_class = ArticleSettingSerializer
    filterset_class = filters.ArticleSettingFilter
    plural = "settings"
    permissions = {
        "list": "distillations.view_articlesetting",
        "retrieve": "distillations.view_articlesetting",
        "create": "distillations.add_articlesetting",
        "partial_update": "distillations.change_articlesetting",
        "destroy": "distillations.delete_articlesetting",
    }


class KnowledgeBaseViewSet(MaterialViewSet):
    """Shelves of documents."""

    queryset = KnowledgeBase.objects.with_document_count().order_by("-id")
    serializer_class = KnowledgeBaseSerializer
    filterset_class = filters.KnowledgeBaseFilter
    plural = "knowledgeBases"
    permissions = {
        "list": "distillations.view_knowledgebase",
        "retrieve": "distillations.view_knowledgebase",
        "create": "distillations.add_knowledgebase",
        "partial_update": "distillations.change_knowledgebase",
        "destroy": "distillations.delete_knowledgebase",
    }


class KnowledgeDocumentViewSet(MaterialViewSet):
    """The documents of a knowledge base; who may change the base may change them."""

    queryset = KnowledgeDocument.objects.order_by("id")
    filterset_class = filters.KnowledgeDocumentFilter
    plural = "documents"
    permissions = {
        "list": "distillations.view_knowledgedocument",
        "retrieve": "distillations.view_knowledgedocument",
        "create": "distillations.change_knowledgebase",
        "partial_update": "distillations.change_knowledgebase",
        "destroy": "distillations.change_knowledgebase",
    }

    def get_queryset(self) -> Any:
        documents = super().get_queryset()
        if "base_id" in self.kwargs:  # not while the description is made
            documents = documents.filter(knowledge_base=self.kwargs["base_id"])
        if self.action != "list":
            return documents
        return documents.annotate(content_length=models.functions.Length("content")).defer("content")

    def get_serializer_class(self) -> type[KnowledgeDocumentSerializer]:
        return DocumentInListSerializer if self.action == "list" else KnowledgeDocumentSerializer

    @extend_schema(parameters=[BASE])
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Documents without their texts."""
        self.place()
        return super().list(request, *args, **kwargs)

    def place(self) -> dict[str, Any]:
        """The knowledge base. Raises a 404."""
        return {"knowledge_base": get_object_or_404(KnowledgeBase, pk=self.kwargs["base_id"])}
