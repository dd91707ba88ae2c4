"""What programs are told of a generated row."""

from rest_framework import serializers

from api.serializers import Serializer
from llm.choices import GeneratorKind


class GeneratorSerializer(Serializer):
    """Who wrote the text. In the serializer of a row: `generator = GeneratorSerializer(source="*", read_only=True)`."""

    kind = serializers.ChoiceField(choices=GeneratorKind.choices, source="generator_kind")
    name = serializers.CharField(source="generator_name")
    model = serializers.CharField(source="generator_model", allow_null=True)
    is_llm = serializers.BooleanField(source="is_by_model")
    label = serializers.CharField(source="generator_label")
