"""`learner-collusion`: regenerates the paper's figures, tables and claims, stage by stage."""

import argparse
import importlib
import os
import sys

from .errors import UserError

# The commands of the workflow, in the order of the data; each is a module of `stages` with the help, the options and `run`.
STAGES = (
    "fetch", "prepare", "tune", "train_tabular", "evaluate", "sensitivity", "train_images", "train_imagenet",
    "aggregate", "figure", "table", "claims", "illustrate", "report",
)  # fmt: skip
# Commands for people: module below the package.
COMMANDS = {
    "new-study": "plan.new_study",
    "run": "publishing.live",
    "status": "plan.status",
    "verify": "publishing.verify",
    "gallery": "publishing.gallery",
    "scorecard": "publishing.scorecard",
    "archive": "publishing.archive",
    "redraw": "publishing.redraw",
    "diagnose": "publishing.diagnose",
    "provenance": "plan.chain",
}
# What PyTorch says where memory ends.
_NO_MEMORY = ("allocate memory", "out of memory")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0, or 1 after one sentence on standard error where the user has something to correct."""
    # Stages divide their work among processes: a second level of threads only slows them down, and the last bits of a sum
    # must not depend on how many cores there are. Before NumPy is imported.
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = "1"
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments == ["--version"]:
        from . import __version__

        print(f"learner-collusion {__version__}")
        return 0
    command = arguments[0] if arguments else "learner-collusion"
    try:
        options = parser(arguments).parse_args(arguments)
        return options.module.run(options) or 0
    except UserError as error:
        print(f"{command}: {error}", file=sys.stderr)
    except ModuleNotFoundError as error:
        print(
            f"{command}: the package {error.name!r} is not installed: pip install 'learner-collusion[workflow,images]'.",
            file=sys.stderr,
        )
    except (MemoryError, RuntimeError) as error:
        # PyTorch has no kind of its own for this on the CPU, and another one on a GPU
        if isinstance(error, RuntimeError) and not any(word in str(error) for word in _NO_MEMORY):
            raise
        print(f"{command}: it needs more memory than there is: free some, or ask for less at once.", file=sys.stderr)
    except UnicodeEncodeError as error:
        print(
            f"{command}: {error.object[:100]!r} holds bytes that are no UTF-8 text: rename that file.", file=sys.stderr
        )
    except KeyboardInterrupt:
        print(f"{command}: interrupted; run the same command again to resume.", file=sys.stderr)
        return 130
    except OSError as error:
        place = f": {error.filename}" if error.filename else ""
        print(
            f"{command}: {error.strerror or error}{place}; check the path and the space on the disk.", file=sys.stderr
        )
    return 1


def parser(arguments: list[str]) -> argparse.ArgumentParser:
    """The parser; of the commands, only the one that is asked for is imported, all of them for the list."""
    known = {**{name: f"stages.{name}" for name in STAGES}, **COMMANDS}
    found = argparse.ArgumentParser(
        prog="learner-collusion",
        description=__doc__,
        epilog="`learner-collusion COMMAND --help` shows the options of a command, with an example.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    found.add_argument("--version", action="store_true", help="show the version and exit")
    commands = found.add_subparsers(dest="command", required=True, metavar="COMMAND", title="commands")
    asked = [name for name in arguments[:1] if name in known]
    for name in asked or known:
        module = importlib.import_module(f".{known[name]}", __package__)
        text = (module.__doc__ or "").strip()
        parser = commands.add_parser(
            name,
            help=text.splitlines()[0].removesuffix("."),
            description=text,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(parser)
        parser.set_defaults(module=module)
    return found


if __name__ == "__main__":
    sys.exit(main())
