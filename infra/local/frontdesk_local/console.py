"""What the commands print."""

import sys
import time

_started = time.monotonic()


def say(text):
    """One step of what is being done, with the seconds since the command was started."""
    print(f"[{time.monotonic() - _started:6.1f} s] {text}", flush=True)


def fail(text):
    """Ends the command with what went wrong and what to do next."""
    sys.exit(f"\n{text}")


def table(headings, rows):
    """Rows under headings, each column as wide as it needs."""
    rows = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(headings, *rows)]
    line = "  ".join("-" * width for width in widths)
    for row in [headings, None, *rows]:
        print(line if row is None else "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
