"""What every design saves: an analysis of usual size."""

from typing import Any

KEPT: dict[str, Any] = {
    "roadmap_id": "redis-12345678",
    "key_technologies": ["Redis", "RESP", "Lua"],
    "difficulty_profile": "Begins with what a key is and ends with replication; medium on the whole.",
    "time_constraint": "6 hours a week",
    "recommended_focus": ["data types", "expiry", "persistence", "replication"],
    "user_profile_summary": "Has written web applications, knows SQL.",
    "skill_gap_analysis": ["has never run a server without a schema", "knows no replication"],
    "personalized_suggestions": ["begin with strings and hashes", "measure before you shard"],
    "estimated_learning_path_type": "quick_start",
    "content_format_weights": {"visual": 0.2, "text": 0.4, "audio": 0.0, "hands_on": 0.4},
    "language_preferences": {"primary_language": "en", "secondary_language": None, "resource_ratio": None},
    "generator_kind": "rules",
    "generator_name": "bench/1",
    "generator_model": None,
}


def analysis(number: int) -> dict[str, Any]:
    """The values of one save."""
    return KEPT | {"parsed_goal": f"Learn Redis, the {number}th way", "full_analysis_data": {**KEPT, "number": number}}
