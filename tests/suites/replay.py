#!/usr/bin/env python3
"""Feeds an incident in as it was, has nobody act, and prints what became of it then and now.

    tests/run replay 2025-10      the figures of those days, and the version that made them worse
    tests/run replay 2025-11      the appointments that had not reached Cal.com; what is left for a person is settled by
                                  clicks in a real browser
"""

import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "infra/local"))
from frontdesk_local import browser, scenario, tools  # noqa: E402


def main():
    found = list((tools.ROOT / "events/incidents").glob(f"{sys.argv[1]}*.json")) if len(sys.argv) == 2 else []
    if len(found) != 1:
        sys.exit(__doc__)
    # The incident's program goes by the name of its file, without the month.
    program = "replay" + found[0].stem.removeprefix(sys.argv[1])
    if sys.argv[1] == "2025-11":
        scenario.main(program, [str(found[0])], then=settle_by_clicks)
    scenario.main(program, [str(found[0])])


def settle_by_clicks(environment):
    """Settles in a browser what the incident leaves for a person, and returns the status."""
    environment = {**browser.prepare(), **environment}
    return subprocess.run(["node", "tests/browser/incident.mjs"], cwd=tools.ROOT, env=environment).returncode


if __name__ == "__main__":
    main()
