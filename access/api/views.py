from django.utils.translation import get_language
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from access.api.serializers import MeSerializer
from access.models import AccessToken
from access.permissions import SIGNED_IN
from api.views import OpsView


class MeView(OpsView):
    permissions = {"get": SIGNED_IN}

    @extend_schema(responses=MeSerializer, operation_id="me", tags=["access"])
    def get(self, request: Request) -> Response:
        """The signed-in user: roles, permissions and language."""
        me = {
            "username": request.user.get_username(),
            "roles": request.user.groups.order_by("name").values_list("name", flat=True),
            "permissions": sorted(request.user.get_all_permissions()),
            "read_only": isinstance(request.auth, AccessToken) and request.auth.read_only,
            "language": get_language(),
        }
        return Response(MeSerializer(me).data)
