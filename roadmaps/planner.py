"""The planner that works without a language model: what the rules of `planning/` make of the bundled catalogue.

Pure and deterministic: no database, no network, no chance. Only a deadline looks at the calendar, which `today`
replaces.
"""

from roadmaps.planning.curricula import curriculum
from roadmaps.planning.intents import intent, known_topics
from roadmaps.planning.mending import mend
from roadmaps.planning.quizzes import quiz
from roadmaps.planning.tutorials import resources, tutorial

NAME = "rules-planner/2"

__all__ = ["NAME", "curriculum", "intent", "known_topics", "mend", "quiz", "resources", "tutorial"]
