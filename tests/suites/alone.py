#!/usr/bin/env python3
"""Each function's release binary alone, with Lambda, AWS and Cal.com played on loopback and every request counted.

    tests/alone

Keys that are replaced, one trace from webhook to staff member, and a table of what is tried against the webhook, what it
answers and what that costs.
"""

import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "infra/local"))
from frontdesk_local import tools  # noqa: E402
from frontdesk_local.console import fail, say  # noqa: E402


def main():
    if sys.argv[1:]:
        sys.exit(__doc__)
    tools.run_inside()
    from frontdesk_local import world

    plan = world.prepare("abuse")
    say("keys and traces")
    test = ["cargo", "test", "--locked", "--package=bench"]
    if subprocess.run(test, cwd=tools.ROOT, env={**os.environ, "PLAN": str(plan)}).returncode != 0:
        fail("A function does not do what it should; what it did stands above.")
    say("what is tried against the webhook")
    sys.exit(world.go("abuse", plan, []))


if __name__ == "__main__":
    main()
