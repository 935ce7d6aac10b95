#!/usr/bin/env python3
"""Opens the quality report of the October replay in a real browser and compares what it shows with the report's JSON.

    tests/run page            needs Chromium or Chrome; runs `tests/run replay 2025-10` first if there is no report
    tests/run page --keep     also stores the two pictures that shared/quality/README.md shows
"""

import html.parser
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "infra/local"))
from frontdesk_local import browser as browsers, tools  # noqa: E402
from frontdesk_local.console import fail, say  # noqa: E402

REPORTS = tools.WORK / "reports"
KEPT = tools.ROOT / "events/incidents"
SHOWN = [("desktop", "light"), ("phone", "dark")]
WIDTHS = {"phone": (390, 1400), "desktop": (1280, 1500)}
NARROWEST_WINDOW = 500
# Shows the page as wide as a phone's screen, though no window is so narrow, and tells how wide it wants to be.
FRAME = """<!doctype html><style>body{{margin:0}}iframe{{border:0;width:{width}px;height:{height}px;transform-origin:0 0;scale:{scale}}}</style>
<iframe src="{page}" onload="document.body.dataset.wants = this.contentDocument.documentElement.scrollWidth"></iframe>"""


def main():
    if sys.argv[1:] not in ([], ["--keep"]):
        sys.exit(__doc__)
    browser = browsers.find()
    page, told = REPORTS / "2025-10.html", REPORTS / "2025-10.json"
    if not page.exists():
        subprocess.run([sys.executable, tools.ROOT / "tests/suites/replay.py", "2025-10"], check=True)
    report = json.loads(told.read_text())
    shown = Shown()
    shown.feed(run(browser, "--dump-dom", page.as_uri()))
    compare(report, shown)
    say(f"the page shows what the report says: {len(shown.figures)} figures, {len(shown.bars)} bars, {len(shown.rows)} rows")
    for name, (width, height) in WIDTHS.items():
        look(browser, page, name, width, height)


def run(browser, *arguments):
    """The browser without a window. Its sandbox needs what containers do not give; the page is our own."""
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--allow-file-access-from-files", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        fail(f"The browser ends with status {done.returncode}:\n{done.stderr}")
    return done.stdout


class Shown(html.parser.HTMLParser):
    """What a page shows: the figures in its tiles, its charts' bars, and its tables' rows."""

    def __init__(self):
        super().__init__()
        self.figures, self.bars, self.rows, self.text = {}, {}, {}, []
        self.part = self.figure = None

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        counts = (int(named.get("data-met") or 0), int(named.get("data-of") or 0))
        if "data-day" in named:
            self.bars[named["data-rate"], named["data-day"]] = counts
        elif "data-value" in named:
            self.figure = named["data-value"]
            self.figures[self.figure] = [counts, ""]
        elif "data-part" in named:
            self.part = named["data-part"]
        elif "data-rate" in named:
            self.rows[self.part, named["data-rate"]] = counts

    def handle_data(self, data):
        self.text.append(data)
        if self.figure:
            self.figures[self.figure][1] += data

    def handle_endtag(self, tag):
        if tag in ("article", "strong"):
            self.figure = None


def compare(report, shown):
    def check(what, is_shown, should_be):
        if is_shown != should_be:
            fail(f"The page shows {is_shown} for {what}; the report says {should_be}.")

    def counts(share):
        return (share["met"], share["of"])

    for rate, share in report["overall"]["rates"].items():
        is_shown, text = shown.figures[rate]
        check(rate, is_shown, counts(share))
        percent = f"{round(1000 * share['met'] / share['of']) / 10:g} %"
        if percent not in text:
            fail(f"The tile of {rate} reads {text!r}, without {percent}.")
    check("appointments", int(shown.figures["appointments"][1].split()[0]), report["overall"]["appointments"])
    days = {(rate, day["name"]): counts(share) for day in report["days"] for rate, share in day["summary"]["rates"].items()}
    check("the charts", shown.bars, days)
    for kind in ("versions", "tenants", "services", "sources"):
        for part in report[kind]:
            for rate, share in part["summary"]["rates"].items():
                check(f"{rate} of {part['name']}", shown.rows[part["name"], rate], counts(share))
    whole = " ".join(shown.text)
    for cluster in report["clusters"]:
        if cluster["reason"] not in whole:
            fail(f"The page does not show why {cluster['appointments']} stopped: {cluster['reason']}")


def look(browser, page, name, width, height):
    frame = REPORTS / f"{name}.html"
    scale = max(width, NARROWEST_WINDOW) / width
    frame.write_text(FRAME.format(page=page.name, width=width, height=height, scale=scale))
    wants = run(browser, "--dump-dom", frame.as_uri()).partition('data-wants="')[2].partition('"')[0]
    if int(wants or 0) != width:
        fail(f"At {width} pixels the page is {wants} wide: it has to be pushed sideways.")
    for scheme, switch in (("light", "--force-light-mode"), ("dark", "--force-dark-mode")):
        picture = REPORTS / f"{name}-{scheme}.png"
        picture.unlink(missing_ok=True)
        run(browser, switch, f"--window-size={round(width * scale)},{round(height * scale)}", f"--screenshot={picture}", frame.as_uri())
        if "--keep" in sys.argv and (name, scheme) in SHOWN:
            shutil.copy(picture, KEPT / f"2025-10-report-{name}-{scheme}.png")
    say(f"it fits {width} pixels; pictures: {REPORTS.relative_to(tools.ROOT)}/{name}-light.png and -dark.png")


if __name__ == "__main__":
    main()
