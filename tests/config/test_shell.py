"""What all commands of the project promise a shell."""

import pytest
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management import CommandError, execute_from_command_line, get_commands

from config.shell import wrong_arguments
from runs.errors import Conflict, Contention, RunFailed
from runs.shell import refusals_as_exit_codes

ROOMS = {commands.parts[-3] for commands in settings.BASE_DIR.glob("*/management/commands")}
COMMANDS = sorted(name for name, room in get_commands().items() if room in ROOMS)


@pytest.mark.parametrize("command", COMMANDS)
def test_an_argument_no_command_knows_is_refused_in_one_line(command, capsys):
    with pytest.raises(SystemExit) as leaving:
        execute_from_command_line(["manage.py", command, "--nonsense"])
    (line,) = capsys.readouterr().err.splitlines()
    assert leaving.value.code == 2
    assert line.startswith("Error: ")
    assert f"(see manage.py {command} --help)" in line


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ValidationError("No tag."), 2, "No tag."),
        (ValidationError({"min_score": ["Too high."], "report_tag": ["Too long."]}), 2,
         "--min-score: Too high. --tag: Too long."),
        (Conflict("run-active", "It runs."), 3, "It runs."),
        (RunFailed("worker-lost", "It died."), 1, "It died."),
        (Contention(), 1, "Too much going on at once. Nothing was changed. Try again in a moment."),
    ],
)  # fmt: skip
def test_what_a_service_refuses_is_one_line_with_its_exit_code(error, code, said):
    with pytest.raises(CommandError) as refusal, refusals_as_exit_codes({"report_tag": "--tag"}):
        raise error
    assert (refusal.value.returncode, str(refusal.value)) == (code, said)


def test_a_field_is_named_as_the_command_line_spells_it():
    wrong = wrong_arguments(ValidationError({"user": ["Unknown."], "days": ["Too many."]}), {"user": "user"})
    assert str(wrong) == "user: Unknown. --days: Too many."
