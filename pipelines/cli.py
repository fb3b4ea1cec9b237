"""The ``rankloop`` command: one module a command, imported when it is asked for."""

import atexit
import os
import sys
from importlib import import_module
from typing import NoReturn

import click

from components.contracts.errors import RankloopError, is_out_of_space, no_space
from components.contracts.urls import without_users
from pipelines.terminal.output import failed_write, use_lasting_streams, use_utf8

COMMANDS = {
    "run": "Run the whole training pipeline on this machine.",
    "runs": "List the runs of a home; show one; compare two.",
    "recommend": "Recommend in batch, to a table or a Parquet file.",
    "bundle": "Show one bundle: what it holds, its origin, its verdict.",
    "verify-bundle": "Verify a bundle: its signature, provenance and content.",
    "push-bundle": "Push a bundle to a registry, for clusters that mount models as images.",
    "serve": "Serve the promoted bundle over HTTP.",
    "keys": "Add, list and remove API keys of the service.",
    "experiment": "Read out an experiment: each arm's lift over the champion.",
    "forget": "Erase one user everywhere, with a receipt.",
    "drift": "Compare the newest data with the bundle's reference.",
    "promote": "Make an environment serve a bundle.",
    "rollback": "Make an environment serve the bundle before.",
    "sign-images": "Sign the pushed images, and attest what they were made of.",
    "verify-images": "Verify the images that the manifests name.",
    "breaker": "Say whether promotions are stopped; let them go on.",
    "watch-rollouts": "Let Git follow what becomes of canaries.",
    "compile": "Write the pipelines as Kubernetes resources.",
    "render": "Write the manifests of each environment as the cluster gets them.",
    "propose": "Open the pull request that deploys images, pipelines and manifests.",
    "upload": "Copy the shop's local data into a bucket, for a cluster.",
    "submit": "Run a pipeline on Kubeflow Pipelines.",
    "schedules": "Make Kubeflow's recurring runs what a file in Git says.",
    "housekeeping": "Delete what Kubeflow Pipelines keeps for ever.",
    "materialize": "Write the online rows again that a store has lost.",
    "doctor": "Check this machine and the home; say what is wrong and how to fix it.",
}
INTERRUPTED = 130  # 128 + SIGINT, as shells count


class LazyCommands(click.Group):
    """Imports ``pipelines.commands.<name>``, with ``_`` for ``-``, only when that command runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"pipelines.commands.{cmd_name.replace('-', '_')}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyCommands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="rankloop")
def rankloop() -> None:
    """From a shop's raw events to a product ranking that is gated, served, watched and improved.

    Exit codes: 0 done, 1 failed, 2 bad usage or configuration, 3 done and the answer is an alarm.
    """


def main() -> None:
    """Run the command line; every deliberate error is one line on standard error."""
    sys.exit(_exit_code())


def command() -> NoReturn:
    """Run the command line as a process of its own, and end it at once.

    Arrow may still be starting a thread then. C++ aborts a process that takes such a thread away while it ends in the
    usual way: one of 150 `rankloop experiment` did on a busy machine.
    """
    use_utf8()
    use_lasting_streams()
    code = _exit_code()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    if (failure := failed_write(sys.stdout)) and code == 0:
        _complain(f"standard output cannot be written ({failure.strerror}); the command itself has done its work")
    sys.stderr.flush()
    os._exit(code)


def _exit_code() -> int:
    try:
        return int(rankloop.main(standalone_mode=False) or 0)
    except click.ClickException as error:
        _complain(error.format_message())
        return error.exit_code
    except RankloopError as error:
        _complain(str(error))
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        _complain("interrupted; the home is whole, and the same command takes up the work")
        return INTERRUPTED
    except Exception as error:
        if "RANKLOOP_TRACEBACK" in os.environ:
            raise
        if is_out_of_space(error):
            _complain(no_space("the home or of the temporary folder"))
            return 1
        _complain(f"unexpected {type(error).__name__}: {error}; RANKLOOP_TRACEBACK=1 shows where")
        return 1


def _complain(message: str) -> None:
    click.echo(f"rankloop: {without_users(' '.join(message.split()))}", err=True)
