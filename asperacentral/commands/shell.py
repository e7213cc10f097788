"""`asperacentral shell`: transfers by hand, several at once, without a daemon."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory, InMemoryHistory
from prompt_toolkit.patch_stdout import patch_stdout

from asperacentral.commands.shell_jobs import ShellJobs
from asperacentral.commands.shell_language import HELP as WORDS
from asperacentral.commands.shell_language import (
    OPTIONS,
    NotUnderstood,
    Remote,
    Request,
    Transfer,
    understand,
)
from asperacentral.fasp import FaspManager
from asperacentral.fasp.messages import POLICIES

HELP = "transfers by hand, several at once, without a daemon"

DESCRIPTION = """\
Push and pull files from a prompt, without a daemon. Type `help` to see what can be said. Lines may also come from a
file or a pipe: then each is carried out when the jobs before it have ended, and the exit status is 1 if one failed.

A password is asked for once for each user and host; the environment variable ASPERA_SCP_PASS gives one for all.
"""

_PROMPT = "asperacentral> "
_REDRAW = 0.5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's own options."""
    parser.add_argument(
        "--history", type=Path, metavar="FILE", default=Path("~/.asperacentral_history"), help="%(default)s"
    )
    parser.add_argument("--known-hosts", type=Path, metavar="FILE", help="host keys (~/.ssh/known_hosts)")
    parser.add_argument(
        "--host-key-policy",
        choices=("tofu", "strict", "any"),
        default="tofu",
        help="what is done about host keys that are not known (%(default)s)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run until quit, or the end of the input."""
    with FaspManager(known_hosts=arguments.known_hosts, host_key_policy=arguments.host_key_policy) as manager:
        if sys.stdin.isatty():
            return _Prompt(manager, arguments.history.expanduser()).run()
        return _Script(manager).run()


class _Shell:
    """What a prompt and a script have in common."""

    def __init__(self, manager: FaspManager) -> None:
        self.manager = manager
        self.passwords: dict[tuple[str, str, int], str] = {}
        self.jobs = ShellJobs(manager, print, self.password)

    def password(self, far: Remote) -> str:
        """For a host that needs one; empty when nobody can be asked."""
        return os.environ.get("ASPERA_SCP_PASS", "")

    def obey(self, line: str) -> bool:
        """Carry out a line; False when it was `quit`. NotUnderstood."""
        match understand(line):
            case Transfer() as transfer:
                print(self.jobs.launch(transfer))
            case Request(word="help") as request:
                print("\n".join(_help(request.text)))
            case Request(word="quit"):
                return False
            case Request() as request:
                for shown in self.jobs.obey(request):
                    print(shown)
        return True


class _Prompt(_Shell):
    """A person at a terminal: completion, history, and the progress of all jobs below the prompt."""

    def __init__(self, manager: FaspManager, history: Path) -> None:
        super().__init__(manager)
        self._session: PromptSession[str] = PromptSession(
            history=FileHistory(str(history)) if _writable(history) else InMemoryHistory(),
            completer=ShellCompleter(),
            complete_while_typing=False,
            bottom_toolbar=self._toolbar,
            refresh_interval=_REDRAW,
        )

    def run(self) -> int:
        """Until quit or Ctrl-D; jobs under way are cancelled then."""
        with patch_stdout(raw=True):
            while True:
                try:
                    line = self._session.prompt(_PROMPT)
                    if not self.obey(line):
                        break
                except NotUnderstood as problem:
                    print(problem)
                except KeyboardInterrupt:
                    continue
                except EOFError:
                    break
        return 0

    def password(self, far: Remote) -> str:
        """The one given before, or asked for now."""
        given = super().password(far)
        if given:
            return given
        whom = (far.user, far.host, far.port)
        if whom not in self.passwords:
            asked: PromptSession[str] = PromptSession()
            try:
                self.passwords[whom] = asked.prompt(
                    f"password of {far.user or 'you'} at {far.host} (empty for none): ", is_password=True
                )
            except EOFError:
                raise NotUnderstood("no password was given") from None
        return self.passwords[whom]

    def _toolbar(self) -> str | None:
        return "\n".join(self.jobs.progress()) or None


class _Script(_Shell):
    """Lines from a file or a pipe."""

    def run(self) -> int:
        """Each line in its turn; 1 if one was not understood or a job failed."""
        failed = False
        for line in sys.stdin:
            try:
                if not self.obey(line):
                    break
            except NotUnderstood as problem:
                sys.stderr.write(f"{problem}\n")
                failed = True
            results = [self.manager.wait(job) for job in self.manager.job_ids()]
            failed = failed or not all(result.ok for result in results)
        return int(failed)


class ShellCompleter(Completer):
    """Commands, options, policies and local paths."""

    def __init__(self) -> None:
        self._paths = PathCompleter(expanduser=True)

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        """What may come at the cursor."""
        before = document.text_before_cursor
        word = before.rpartition(" ")[2]
        command = before.split(" ", 1)[0]
        if " " not in before:
            choices: tuple[str, ...] = tuple(WORDS)
        elif command in {"push", "pull"} and not word.startswith("-"):
            yield from self._paths.get_completions(Document(word, len(word)), complete_event)
            return
        else:
            choices = {
                "push": tuple(OPTIONS),
                "pull": tuple(OPTIONS),
                "policy": POLICIES,
                "help": tuple(WORDS),
            }.get(command, ())
        for choice in choices:
            if choice.startswith(word):
                yield Completion(choice, start_position=-len(word))


def _help(word: str) -> list[str]:
    shown = {word: WORDS[word]} if word in WORDS else WORDS
    lines = [f"{f'{name} {takes}'.strip():58} {does}" for name, (takes, does) in shown.items()]
    if word in {"push", "pull"}:
        lines += [f"    {name} {text}" for name, text in OPTIONS.items()]
    return lines


def _writable(history: Path) -> bool:
    return os.access(history, os.W_OK) or (not history.exists() and os.access(history.parent, os.W_OK))
