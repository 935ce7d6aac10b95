#!/usr/bin/env python3
"""Feeds an incident in as it was, has nobody act, and prints what became of it then and now.

    tests/run replay 2025-10      the figures of those days, and the version that made them worse
    tests/run replay 2025-11      the appointments that had not reached Cal.com
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "infra/local"))
from frontdesk_local import scenario, tools  # noqa: E402


def main():
    found = list((tools.ROOT / "events/incidents").glob(f"{sys.argv[1]}*.json")) if len(sys.argv) == 2 else []
    if len(found) != 1:
        sys.exit(__doc__)
    # The incident's program goes by the name of its file, without the month.
    scenario.main("replay" + found[0].stem.removeprefix(sys.argv[1]), [str(found[0])])


if __name__ == "__main__":
    main()
