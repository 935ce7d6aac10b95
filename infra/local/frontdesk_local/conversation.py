"""A conversation to try the stack with: a known caller asks, books, moves, cancels and hangs up. Retell's part is played here."""

import json
import time
from datetime import datetime, timedelta

from . import call
from .console import fail
from .tools import RETELL_KEY

MONTHS = ["Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November", "Dezember"]


class Conversation:
    """A call that is going on."""

    def __init__(self, deployed, earlier):
        """Of the caller of an earlier call, whose body is given."""
        known = json.loads(earlier)["call"]
        self.deployed = deployed
        self.call = {key: known[key] for key in ("agent_id", "from_number", "to_number", "call_type", "direction")}
        self.call |= {"call_id": f"call_{time.time_ns():x}", "call_status": "ongoing", "start_timestamp": time.time_ns() // 1_000_000}

    def greet(self):
        inbound = {key: self.call[key] for key in ("agent_id", "from_number", "to_number")}
        answer = self._timed(self.deployed.inbound_url, {"event": "call_inbound", "call_inbound": inbound}, "rings")
        return answer["call_inbound"]["dynamic_variables"]

    def tool(self, name, status, /, **args):
        answer = self._timed(f"{self.deployed.tools_url}/{name}", {"name": name, "args": args, "call": self.call}, name)
        if answer.get("status") != status:
            fail(f"failed to hold the conversation: {name} answered {answer} and not {status}")
        return answer

    def hang_up(self, **fields):
        analyzed = self.call | {"call_status": "ended", "call_analysis": {"custom_analysis_data": fields}}
        return self._timed(self.deployed.webhook_url, {"event": "call_analyzed", "call": analyzed}, "hangs up")

    def _timed(self, url, body, step):
        began = time.time()
        status, answer = call.send(url, RETELL_KEY, json.dumps(body, ensure_ascii=False).encode())
        milliseconds = (time.time() - began) * 1000
        if status != 200:
            fail(f"failed to hold the conversation: {url} responded {status} {answer}")
        print(f"  {milliseconds:5.0f} ms  {step:<22}  {said(answer)}", flush=True)
        return answer


def said(answer):
    """What the agent hears, in a line."""
    if "call_inbound" in answer:
        known = answer["call_inbound"]["dynamic_variables"]
        parts = {"caller": "caller_name", "next": "next_appointment", "usually with": "usual_staff_member"}
        return "; ".join([f"{known['weekday']} {known['time']}", *(f"{word}: {known[name]}" for word, name in parts.items() if known[name])])
    return answer.get("say") or f"webhook stored, appointment requested: {answer.get('appointment_id', 'none')}"


def hold(deployed, earlier):
    """Holds the conversation, and returns the id of the appointment that it booked and cancelled."""
    print("\nA known caller is on the line. Each step with what the agent is answered:\n")
    line = Conversation(deployed, earlier)
    known = line.greet()
    day = datetime.now(call.ZONE) + timedelta(days=3)
    while day.weekday() > 4:
        day += timedelta(days=1)
    wish = f"am {day.day}. {MONTHS[day.month - 1]} nachmittags"
    free = line.tool("check_availability", "free", service="Haarschnitt", wish=wish)["slots"]
    booked = line.tool("book_appointment", "booked", service="Haarschnitt", start=free[0]["start"], name=known["caller_name"])
    which = booked["appointment"]["appointment_id"]
    line.tool("reschedule_appointment", "moved", start=free[1]["start"], appointment_id=which)
    line.tool("cancel_appointment", "cancelled", appointment_id=which)
    # What the model made of it afterwards: nothing is booked by it.
    answer = line.hang_up(service="Haarschnitt", appointment_start=wish, customer_name=known["caller_name"])
    if "appointment_id" in answer:
        fail(f"failed to hold the conversation: its analysis requested an appointment, and the webhook answered {answer}")
    print()
    return which
