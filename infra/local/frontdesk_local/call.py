"""A call to try the stack with: one of `events/`, set to a time to come, signed as Retell signs."""

import hashlib
import hmac
import json
import time
import urllib.error
import urllib.request
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from .tools import ROOT

EVENT = ROOT / "events/retell-call-analyzed.json"
ZONE = ZoneInfo("Europe/Berlin")


def body(event=EVENT):
    """The event's bytes, as of a call of now that requests 10:00 on the first weekday at least two days ahead."""
    webhook = json.loads(event.read_text())
    webhook["call"]["start_timestamp"] = time.time_ns() // 1_000_000
    day = datetime.now(ZONE) + timedelta(days=2)
    while day.weekday() > 4:
        day += timedelta(days=1)
    webhook["call"]["call_analysis"]["custom_analysis_data"]["appointment_start"] = day.strftime("%Y-%m-%d 10:00")
    return json.dumps(webhook, ensure_ascii=False, separators=(",", ":")).encode()


def signature(key, raw):
    """The value of `x-retell-signature` for these bytes, now."""
    milliseconds = str(time.time_ns() // 1_000_000)
    digest = hmac.new(key.encode(), raw + milliseconds.encode(), hashlib.sha256).hexdigest()
    return f"v={milliseconds},d={digest}"


def send(url, key, raw):
    """Delivers the bytes as Retell does, and returns status and JSON. Without a key they are not signed."""
    headers = {"content-type": "application/json"} | ({"x-retell-signature": signature(key, raw)} if key else {})
    request = urllib.request.Request(url, data=raw, headers=headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, json.loads(refused.read() or b"{}")


def as_gateway_event(key, raw):
    """The event in which API Gateway hands these bytes to `webhook-intake`, signed now."""
    event = json.loads((ROOT / "events/webhook-intake.json").read_text())
    event["headers"]["x-retell-signature"] = signature(key, raw)
    event["body"] = raw.decode()
    return event
