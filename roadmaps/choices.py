"""The words roadmaps speak in."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from runs.choices import RunStatus, Statuses


class TaskStatus(TextChoices):
    """Where a roadmap's workflow stands (document 004)."""

    PENDING = RunStatus.PENDING.value, _("Pending")
    PROCESSING = "processing", _("Processing")
    HUMAN_REVIEW_PENDING = "human_review_pending", _("Waiting for a review")
    COMPLETED = RunStatus.COMPLETED.value, _("Completed")
    PARTIAL_FAILURE = "partial_failure", _("Partly failed")
    FAILED = RunStatus.FAILED.value, _("Failed")
    CANCELLED = RunStatus.CANCELLED.value, _("Cancelled")


TASK_STATUSES = Statuses(
    running=TaskStatus.PROCESSING.value,
    more_final=(TaskStatus.PARTIAL_FAILURE.value,),
    waiting=(TaskStatus.HUMAN_REVIEW_PENDING.value,),
)


class StepName(TextChoices):
    """The steps of the workflow. A renamed one would be refused in runs that were begun before (runs.steps)."""

    INTENT_ANALYSIS = "intent_analysis", _("Understanding the wish")
    CURRICULUM_DESIGN = "curriculum_design", _("Designing the curriculum")
    STRUCTURE_VALIDATION = "structure_validation", _("Checking the structure")
    ROADMAP_EDIT = "roadmap_edit", _("Mending the structure")
    HUMAN_REVIEW = "human_review", _("Review by a person")
    TUTORIAL = "tutorial_generation", _("Tutorials")
    RESOURCES = "resource_recommendation", _("Resources")
    QUIZ = "quiz_generation", _("Quizzes")
    FINALIZING = "finalizing", _("Finalizing")


class ContentKind(TextChoices):
    """What each concept gets."""

    TUTORIAL = "tutorial", _("Tutorial")
    RESOURCES = "resources", _("Resources")
    QUIZ = "quiz", _("Quiz")


CONTENT_STEPS = {
    ContentKind.TUTORIAL: StepName.TUTORIAL,
    ContentKind.RESOURCES: StepName.RESOURCES,
    ContentKind.QUIZ: StepName.QUIZ,
}


class ContentStatus(TextChoices):
    """Where one content of one concept stands."""

    PENDING = "pending", _("Pending")
    GENERATING = "generating", _("Being written")
    COMPLETED = "completed", _("Completed")
    FAILED = "failed", _("Failed")


class Strategy(TextChoices):
    """How a retry goes on."""

    CHECKPOINT = "checkpoint", _("At the step that failed")
    CONTENT = "content", _("Only the contents that failed")
    RESTART = "restart", _("From the start")


class EditOrigin(TextChoices):
    """Why a structure was changed."""

    VALIDATION = "validation", _("Found by the check")
    REVIEW = "review", _("Asked for in a review")


class Level(TextChoices):
    """How much somebody knows already."""

    BEGINNER = "beginner", _("Beginner")
    INTERMEDIATE = "intermediate", _("Intermediate")
    ADVANCED = "advanced", _("Advanced")


class Difficulty(TextChoices):
    """How hard a concept is."""

    EASY = "easy", _("Easy")
    MEDIUM = "medium", _("Medium")
    HARD = "hard", _("Hard")


class RoadmapError(TextChoices):
    """Why a roadmap may fail, beside what may befall any run and what a model may do."""

    VALIDATION_FAILED = "validation-failed", _("The structure had faults after three edits")
    UNKNOWN_TOPIC = "unknown-topic", _("The topic is not in the catalogue that works without a language model")
    NO_PLACE_FOR_ID = "no-free-roadmap-id", _("No free id was found for the roadmap")
    CONTENT_FAILED = "content-failed", _("At least half of the contents failed")
    SOME_CONTENT_FAILED = "some-content-failed", _("Some contents failed")
    REJECTED = "review-rejected", _("The review refused the roadmap without saying what to change")
    REVIEW_IN_VAIN = "review-in-vain", _("The changes that the review asked for changed nothing")
    NOT_STORABLE = "unusable-content", _("What was written cannot be used")
