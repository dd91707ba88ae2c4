"""The distillation that a route is about, or a 404 in the document's words."""

from typing import Any

from django.http import Http404
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiParameter
from rest_framework.generics import get_object_or_404

from api.problems import Problem
from api.views import OpsViewSet
from distillations.models import Distillation

PREFIX = "distillation/(?P<distillation_id>[0-9]+)"
PARAMETER = OpenApiParameter("distillation_id", int, OpenApiParameter.PATH)


def no_such_distillation() -> Problem:
    """404 as the document words it."""
    return Problem("not-found", status=404, detail=_("This distillation does not exist."))


class OfDistillation(OpsViewSet):
    """A collection that belongs to one distillation."""

    def distillation(self) -> Distillation:
        """The one in the path. Raises a 404."""
        try:
            found: Any = get_object_or_404(Distillation, pk=self.kwargs["distillation_id"])
        except Http404 as error:
            raise no_such_distillation() from error
        return found
