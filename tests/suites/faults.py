#!/usr/bin/env python3
"""Many calls through the deployed stack under every fault: nothing may be lost or booked twice.

    tests/run faults --calls 300 --seed 1
    tests/run faults --calls 300 --seed 1 --seeds 20     twenty seeds, from 1 on
    tests/run faults --calls 2000 --seed 1 --seeds 3      seven minutes a seed on two cores

Cal.com fails, limits, is slow and loses answers; DynamoDB throttles; SQS refuses, repeats and reorders; functions are
killed by SIGKILL between what they have just done and what they were to do next. All delays are a tenth of their defaults.
"""

import argparse
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "infra/local"))
from frontdesk_local import tools  # noqa: E402
from frontdesk_local.console import fail, say  # noqa: E402

LOGS = {name: tools.LOGS / f"fault-proxy-{name}.log" for name in ("aws", "calcom")}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds, from --seed on")
    asked = parser.parse_args()
    tools.run_inside()
    from frontdesk_local import scenario

    scenario.build("faults", "fault-proxy")
    failed = [seed for seed in range(asked.seed, asked.seed + asked.seeds) if not holds(seed, asked.calls)]
    if failed:
        fail(f"failed: something was lost or booked twice with seed {', '.join(map(str, failed))}.")
    say(f"nothing was lost and nothing booked twice: {asked.seeds} seeds of {asked.calls} calls")


def holds(seed, calls):
    """Whether nothing is lost and nothing booked twice with this seed."""
    from frontdesk_local import scenario

    status = scenario.run("faults", ["--calls", str(calls), "--seed", str(seed)], lambda processes: proxies(processes, seed))
    killed = sum(log.read_text().count("killed after") for log in LOGS.values())
    print(f"  functions killed           {killed}", flush=True)
    return status == 0


def proxies(processes, seed):
    """What puts a fault proxy before AWS and before Cal.com."""
    from frontdesk_local import stack
    from frontdesk_local.processes import free_port

    def through_proxy(name, url):
        port = free_port()
        process = processes.start([stack.binary("fault-proxy"), port, url, seed], LOGS[name])
        while "forwards" not in LOGS[name].read_text():
            if process.poll() is not None:
                fail(f"failed to start the fault proxy: it exited. Read {LOGS[name]}")
            time.sleep(0.02)
        return f"http://127.0.0.1:{port}"

    return through_proxy


if __name__ == "__main__":
    main()
