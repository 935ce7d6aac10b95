#!/usr/bin/env python3
"""A function's release binary alone: stand-ins for Lambda, AWS and Cal.com on loopback count every request.

    tests/run alone

Replaced keys, one trace from webhook to staff member, and a table of attacks on the webhook with its responses and costs.
This is the suite that tests what is deployed: the release profile, built by zig for the oldest system that Lambda has.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "infra/local"))
from frontdesk_local import tools  # noqa: E402
from frontdesk_local.console import fail, say  # noqa: E402

# What the runtime provided.al2023 has.
GLIBC_OF_LAMBDA = (2, 34)


def main():
    if sys.argv[1:]:
        sys.exit(__doc__)
    tools.run_inside()
    from frontdesk_local import harness

    functions = ["webhook-intake", "calcom-booking", "staff-assignment"]
    plan = harness.prepare("abuse", functions)
    for name in functions:
        runs_on_lambda(tools.function_binary(name))
    say("keys and traces")
    test = os.environ.get("FRONTDESK_TEST_ALONE")
    command = [test] if test else ["cargo", "test", "--locked", "--package=bench", "--test=alone"]
    if subprocess.run(command, cwd=tools.ROOT, env={**os.environ, "PLAN": str(plan)}).returncode != 0:
        fail("failed: a function does not behave as it should; see above")
    say("attacks on the webhook")
    sys.exit(harness.go("abuse", plan, []))


def runs_on_lambda(binary):
    """Every version of glibc that the binary requires is one that Amazon Linux 2023 has."""
    versions = set(re.findall(rb"GLIBC_(\d+)\.(\d+)", binary.read_bytes()))
    newest = max((int(major), int(minor)) for major, minor in versions)
    if newest > GLIBC_OF_LAMBDA:
        fail(f"failed: {binary.parent.name} requires glibc {newest[0]}.{newest[1]}, and Lambda has {GLIBC_OF_LAMBDA[0]}.{GLIBC_OF_LAMBDA[1]}")
    say(f"{binary.parent.name} requires glibc {newest[0]}.{newest[1]} at most; Lambda has {GLIBC_OF_LAMBDA[0]}.{GLIBC_OF_LAMBDA[1]}")


if __name__ == "__main__":
    main()
