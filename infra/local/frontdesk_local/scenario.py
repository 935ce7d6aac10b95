"""Scenarios: programs of tests/end-to-end that run against a stack of their own."""

import os
import subprocess
import sys

from . import tools
from .console import say
from .processes import INTERRUPTED, Processes

# A lease of two and a half minutes becomes fifteen seconds, and a day two and a half hours.
TIMING_DIVISOR = 10


def build(program, *test_tools):
    """Builds the stack, further test tools, and the program."""
    from . import stack

    stack.build(*test_tools)
    if not tools.is_built():
        tools.cargo("build", "--locked", "--package=end-to-end", f"--bin={program}")


def main(program, arguments, then=None, **given):
    """Builds the program, runs it against a new stack with these parameters, and exits with its status."""
    tools.run_inside()
    build(program)
    sys.exit(run(program, arguments, then=then, **given))


def run(program, arguments, through=lambda processes: lambda name, url: url, then=None, **given):
    """Runs the program against a new stack with these parameters, and then what goes on with what it left there. Returns the
    status of what failed first."""
    from . import stack

    os.environ.pop("CALCOM_API_KEY", None)
    with Processes() as processes:
        deployed = stack.start(processes, None, TIMING_DIVISOR, through(processes), **given)
        command = [tools.binary(program, "dev"), *arguments]
        try:
            environment = {**deployed.environment(), "INCIDENT": str(tools.LOGS / "incident.json")}
            status = subprocess.run(command, cwd=tools.ROOT, env={**os.environ, **environment}).returncode
            return status or (then(environment) if then else 0)
        except KeyboardInterrupt:
            say("stopping everything that was started")
            sys.exit(INTERRUPTED)
