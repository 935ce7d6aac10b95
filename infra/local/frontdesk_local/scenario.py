"""Trials: programs of tests/end-to-end that run against a stack of their own."""

import os
import subprocess
import sys

from . import tools
from .console import say
from .processes import INTERRUPTED, Processes

# A lease of two and a half minutes becomes fifteen seconds, and a day two and a half hours.
WAITS_DIVIDED_BY = 10


def build(program, *besides):
    """Builds the stack, what stands beside it, and the program."""
    from . import stack

    stack.build(*besides)
    tools.cargo("build", "--locked", "--package=end-to-end", f"--bin={program}")


def run(program, arguments, through=lambda processes: lambda name, url: url):
    """Runs the program against a new stack and answers its status."""
    from . import stack

    os.environ.pop("CALCOM_API_KEY", None)
    with Processes() as processes:
        deployed = stack.start(processes, None, WAITS_DIVIDED_BY, through(processes))
        command = ["cargo", "run", "--locked", "--quiet", "--package=end-to-end", f"--bin={program}", "--", *arguments]
        try:
            return subprocess.run(command, cwd=tools.ROOT, env={**os.environ, **deployed.environment()}).returncode
        except KeyboardInterrupt:
            say("ending, with everything that was started")
            sys.exit(INTERRUPTED)
