#!/usr/bin/env python3
"""A function's release binary alone: stand-ins for Lambda, AWS and Cal.com on loopback count every request.

    tests/run alone

Replaced keys, one trace from webhook to staff member, and a table of attacks on the webhook with its responses and costs.
This is the suite that tests what is deployed: the release profile.
"""

import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "infra/local"))
from frontdesk_local import tools  # noqa: E402
from frontdesk_local.console import fail, say  # noqa: E402


def main():
    if sys.argv[1:]:
        sys.exit(__doc__)
    tools.run_inside()
    from frontdesk_local import harness

    plan = harness.prepare("abuse", functions=["webhook-intake", "calcom-booking", "staff-assignment"])
    say("keys and traces")
    test = os.environ.get("FRONTDESK_TEST_ALONE")
    command = [test] if test else ["cargo", "test", "--locked", "--package=bench", "--test=alone"]
    if subprocess.run(command, cwd=tools.ROOT, env={**os.environ, "PLAN": str(plan)}).returncode != 0:
        fail("failed: a function does not behave as it should; see above")
    say("attacks on the webhook")
    sys.exit(harness.go("abuse", plan, []))


if __name__ == "__main__":
    main()
