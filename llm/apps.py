from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class LlmConfig(AppConfig):
    name = "llm"
    verbose_name = _("Language model")

    home = "llm.home.home"
    metrics = "llm.metrics.collect"
    doctor = ["llm.checkup.examine"]
    prunable = {"raw-answers": "llm.pruning.raw_answers"}
    role_permissions = {
        "operator": ["llm.read_raw_llmcall"],
        "administrator": ["llm.add_llmprice", "llm.change_llmprice", "llm.delete_llmprice"],
    }

    def ready(self) -> None:
        from llm.choices import LLMError
        from runs.choices import know_errors

        know_errors(LLMError)
