"""Generation as fault tests see it: keywords, a task that is watched, and what must be true in the end."""

from bench.scenarios import Keywords
from distillations import services
from distillations.models import GenerationTask
from faulting import FAST, eventually, how_often
from processes import python, wait_until

ARTICLES = how_often(short=8, ci=15, full=30)


def stocked(count=ARTICLES + 5):
    """So many distillations that nobody has used."""
    Keywords(count).stage()


class Watched:
    """A task as a test watches it; all waiting outlasts a server that is away."""

    def __init__(self, pk):
        self.pk = pk

    @property
    def row(self):
        """The task now."""
        return GenerationTask.objects.get(pk=self.pk)

    def reaches(self, articles, timeout=120):
        """Wait until so many articles are made, or the task has ended."""
        eventually(
            lambda: self.row.generated_count >= articles or not self.row.is_open,
            timeout=timeout, what=f"article {articles}",
        )  # fmt: skip

    def moves_on(self):
        """Wait for the next article."""
        self.reaches(eventually(lambda: self.row, what="the task").generated_count + 1)

    def ends(self, timeout=240):
        """Wait for the end; the task."""
        eventually(lambda: not self.row.is_open, timeout=timeout, what="the end of the task")
        return self.row


def requested(count=ARTICLES):
    """A task as an operator asks for it."""
    return Watched(services.request_generation(services.GenerationOptions(count), actor="test").pk)


def requested_elsewhere(count=ARTICLES, **extra):
    """The same from a process of its own, for failpoints of its own; None when it died."""
    done = python(
        f"""
from distillations import services
print(services.request_generation(services.GenerationOptions({count}), actor="test").pk)
""",
        **FAST,
        **extra,
    )
    return Watched(int(done.stdout)) if done.returncode == 0 else None


def struck(worker):
    """Wait until the failpoint has ended the process that the pool began with."""
    child = wait_until(lambda: worker.children, what="the pool")[0]  # looked at once: it may die any moment
    wait_until(lambda: worker.has_been_struck(child), timeout=60, what="the failpoint")
