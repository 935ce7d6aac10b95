#!/usr/bin/env python3
"""Speed, size, memory, requests and cost of each function, compared with an empty one and with peers in Python and Node.js.

    tests/run bench            everything; ten minutes after the build
    tests/run bench --quick    fewer events, and no growth over thousands
    tests/run bench --desk     what each page of the desk takes with 10,000 appointments of its tenant
    tests/run bench --live     how long a caller waits for a tool, and fifty callers for one slot; --quick as well

One function's release binary runs at a time; stand-ins for Lambda, AWS and Cal.com respond on loopback, behind TLS and
after a fixed delay. Prints tables, and writes .frontdesk/bench/results.json
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "infra/local"))
from frontdesk_local import tools  # noqa: E402


def main():
    if {"-h", "--help"} & set(sys.argv):
        sys.exit(__doc__)
    tools.run_inside()
    from frontdesk_local import harness

    programs = {"--live": ("live", ["voice-tools"]), "--desk": ("desk-pages", ["desk", "webhook-intake"])}
    for option, (program, functions) in programs.items():
        if option in sys.argv:
            rest = [argument for argument in sys.argv[1:] if argument != option]
            sys.exit(harness.go(program, harness.prepare(program, functions), rest))
    sys.exit(harness.go("bench", harness.prepare("bench", with_peers=True), sys.argv[1:]))


if __name__ == "__main__":
    main()
