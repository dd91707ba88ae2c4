from rest_framework import serializers

from api.serializers import Serializer


class MeSerializer(Serializer):
    """Who is asking, and what a console may offer them."""

    username = serializers.CharField(read_only=True)
    roles = serializers.ListField(child=serializers.CharField(), read_only=True)
    permissions = serializers.ListField(child=serializers.CharField(), read_only=True)
    # declared as it is sent: read_only would hide the attribute of that name every field has
    readOnly = serializers.BooleanField(source="read_only", read_only=True, help_text="The token in use may only read.")
    language = serializers.CharField(read_only=True)
