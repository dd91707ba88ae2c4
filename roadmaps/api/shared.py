"""What the routes of roadmaps, concepts and learners share: ids, and who is missing."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from api.problems import or_missing
from api.views import OpsViewSet
from roadmaps.models import Concept, Roadmap

ROADMAP_ID, CONCEPT_ID = "[a-z0-9-]{10,80}", "c-[0-9]{1,3}-[0-9]{1,3}-[0-9]{1,3}"
VIEW = "roadmaps.view_roadmap"
NO_SUCH_ROADMAP = _("This roadmap does not exist.")
NO_SUCH_CONCEPT = _("This concept does not exist.")


class OfRoadmap(OpsViewSet):
    """Something inside a roadmap that the caller sees."""

    def roadmap(self) -> Roadmap:
        """The roadmap of the path; 404 for another's."""
        roadmaps = Roadmap.objects.visible_to(self.request.user).with_tasks().defer("framework")
        with or_missing(NO_SUCH_ROADMAP):
            return roadmaps.get(pk=self.kwargs["roadmap_id"])

    def concept(self) -> Concept:
        """The concept of the path, with what its row shows."""
        roadmap = self.roadmap()
        concepts = Concept.objects.filter(roadmap=roadmap).with_live_status().with_progress_of(self.request.user)
        with or_missing(NO_SUCH_CONCEPT):
            concept = concepts.get(concept_id=self.kwargs["concept_id"])
        concept.roadmap = roadmap
        return concept
