"""A week of the demo salon, worth looking at: what was booked, what is to come, and one of each thing that waits for a person.

All of it comes in as in real life: appointments of another system by the import, everything else by signed calls.
"""

import itertools
import json
import random
import tempfile
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

from . import call
from .console import fail, say
from .tools import RETELL_KEY, ROOT

TENANT = "salon-sommer"
AGENT = "agent_7d1f0c2b9a3e4f58"
# Who may sign in, and what they see: the group of a salon, or the agency.
PEOPLE = [
    ("lena@salon-sommer.example", "Lena", f"tenant.{TENANT}"),
    ("anna@salon-sommer.example", "Anna", f"tenant.{TENANT}"),
    ("agentur@frontdesk.example", "Agentur", "agency"),
]
NAMES = """Claudia Weiss|Nina Vogel|Thomas Berg|Gisela Franke|Karin Schmidt|Ben Krüger|Ali Demir|Paul Jansen|Hannes Otto|Tim Seidel
Kemal Aslan|Iris Neumann|Julia Maier|Rosa Engel|Birgit Hahn|Erika Sommerfeld|Marie Kunze|Elke Brandl|Ruth Adam|Jan Peters|Lea Stein
Uwe Kern|Gabi Lorenz|Ute Franke|Olga Petrova|Sven Albrecht|Maren Koch|Yusuf Kaplan|Ines Thiel|Peter Wolff"""
NAMES = NAMES.replace("\n", "|").split("|")
WEEKDAYS = ["Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"]
EVENT_TYPES = {"haircut": 2563193, "color-anna": 2563201, "color-lena": 2563202}
# When who has what on each day to come. Cal.com offers starts as far apart as the service is long, and takes 120 requests a
# minute of an account: a fuller week would have to wait.
BOOKED = [
    ("Anna", "Farbe", ["10:30", "13:30"]),
    ("Mehmet", "Haarschnitt", ["9:30", "11:00", "14:00"]),
    ("Lena", "Haarschnitt", ["10:00", "15:30"]),
]
AT_ONCE = 6
PATIENCE = 60


def load(deployed):
    """Loads the week, and returns the ids of what waits, by what it waits for."""
    say("loading a demo week: what was, what is to come, and what waits for a person")
    began = time.monotonic()
    week = _Week(deployed)
    for person in PEOPLE:
        add_person(deployed, *person)
    week.import_past()
    week.book_coming()
    waiting = week.make_to_dos()
    from .stack import client

    # It counts every hour. Nobody waits for that here.
    client("lambda", deployed.endpoint).invoke(FunctionName=f"{deployed.name}-quality-monitor", Payload=b'{"daily": false}')
    say(f"the demo week is loaded after {time.monotonic() - began:.0f} s: {len(waiting)} things wait for a person")
    return waiting


def add_person(deployed, email, name, group):
    """Lets somebody sign in. Codes are mailed, and the local mail is kept as files."""
    from .stack import client, frontdesk

    access = ["--agency"] if group == "agency" else ["--tenant", group.removeprefix("tenant.")]
    frontdesk(deployed, "people", "invite", email, "--name", name, *access, "--apply")
    # Cognito itself needs no password of people who sign in by a code; the local one does.
    password = "Local-%030x" % random.getrandbits(120)
    cognito = client("cognito-idp", deployed.endpoint)
    cognito.admin_set_user_password(UserPoolId=deployed.outputs["UserPool"], Username=email, Password=password, Permanent=True)


class _Week:
    def __init__(self, deployed):
        self.deployed = deployed
        self.now = datetime.now(call.ZONE)
        self.dice = random.Random(7)
        self.names = itertools.cycle(NAMES)
        self.phones = iter(f"+4915228{number:06d}" for number in range(810000, 820000))

    def day(self, ahead):
        """Today, or the working day that is so many working days ahead."""
        day = self.now
        for _ in range(ahead):
            day += timedelta(days=2 if day.weekday() == 5 else 1)
        return day

    def import_past(self):
        """The last days, and today so far, from the system that the salon used before."""
        rows, nth = [], 0
        for back in (3, 2, 1, 0):
            day = self.now - timedelta(days=back)
            if day.weekday() == 6:
                continue
            for staff in ("anna", "mehmet", "lena"):
                for hour in (9, 11, 14, 16):
                    start = day.replace(hour=hour, minute=self.dice.choice((0, 30)), second=0, microsecond=0)
                    if start > self.now - timedelta(minutes=45):
                        continue
                    nth += 1
                    service = "haircut" if staff == "mehmet" or nth % 2 else "color"
                    event_type = EVENT_TYPES.get(f"{service}-{staff}", EVENT_TYPES["haircut"])
                    rows.append({
                        "id": f"before-{nth}", "start": start.isoformat(), "service": service, "event_type": event_type,
                        "staff": staff, "name": next(self.names), "phone": next(self.phones), "calcom_uid": f"before-{nth:04d}",
                    })
        if not rows:
            return
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl", delete=False) as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
        from .stack import frontdesk

        frontdesk(self.deployed, "import", TENANT, file.name, "--apply")
        Path(file.name).unlink()

    def book_coming(self):
        """What is to come: calls that went as they should."""
        calls = []
        for ahead in (0, 1, 2, 3):
            day = self.day(ahead)
            for staff, service, clocks in BOOKED:
                for clock in clocks:
                    hour, minute = map(int, clock.split(":"))
                    start = day.replace(hour=hour, minute=minute, second=0, microsecond=0)
                    if start <= self.now + timedelta(minutes=20):
                        continue
                    calls.append(self.body(service=service, staff_member=staff, appointment_start=start.strftime("%Y-%m-%d %H:%M")))
        with ThreadPoolExecutor(AT_ONCE) as pool:
            ids = list(pool.map(self.send, calls))
        for id in ids:
            self.until(id, {"assigned", "needs_review"})

    def body(self, phone=None, summary=None, turns=(), name=None, **fields):
        """The webhook's body of a call that asks for this."""
        name = name or next(self.names)
        phone = phone or next(self.phones)
        began = time.time_ns() // 1_000_000 - self.dice.randrange(60_000, 240_000)
        turns = [("agent", "Salon Sommer, guten Tag! Was kann ich für Sie tun?"), *turns]
        return {"event": "call_analyzed", "call": {
            "call_type": "phone_call", "call_id": f"call_{self.dice.getrandbits(96):024x}", "agent_id": AGENT, "call_status": "ended",
            "direction": "inbound", "from_number": phone, "to_number": "+4930901820", "start_timestamp": began,
            "end_timestamp": began + self.dice.randrange(25_000, 75_000),
            "recording_url": "https://recordings.frontdesk.example/call.wav",
            "transcript_object": [{"role": role, "content": words} for role, words in turns],
            "call_analysis": {"call_summary": summary or f"Möchte einen Termin: {fields.get('service', '')}.",
                              "custom_analysis_data": {"customer_name": name, "customer_phone": phone, **fields}},
        }}

    def send(self, body):
        status, answer = call.send(self.deployed.webhook_url, RETELL_KEY, json.dumps(body, ensure_ascii=False).encode())
        if status != 200 or "appointment_id" not in answer:
            fail(f"failed to load the demo week: the webhook responded {status} {answer}")
        return answer["appointment_id"]

    def until(self, id, states):
        from .stack import frontdesk

        deadline = time.time() + PATIENCE
        while True:
            shown = json.loads(frontdesk(self.deployed, "appointment", "show", "--output", "json", id))
            if shown["state"] in states:
                return shown
            if time.time() > deadline:
                fail(f"failed to load the demo week: {id} is {shown['state']} after {PATIENCE} s")
            time.sleep(0.2)

    def make_to_dos(self):
        """One of each thing that waits for a person."""
        tomorrow, later, last = self.day(1), self.day(2), self.day(3)
        weekdays = " oder ".join(WEEKDAYS[self.day(ahead).weekday()] for ahead in (1, 2))
        at = lambda day, clock: day.strftime(f"%Y-%m-%d {clock}")  # noqa: E731
        user = lambda words: ("user", words)  # noqa: E731
        agent = lambda words: ("agent", words)  # noqa: E731
        taken = self.send(self.body(
            name="Sabine Roth", service="Farbe", staff_member="Anna", appointment_start=at(tomorrow, "10:30"),
            summary="Möchte um halb elf den Ansatz bei Anna färben lassen.",
            turns=[user("Ansatz färben bei der Anna, um halb elf."), agent("Ich gebe das weiter, Sie hören von uns.")],
        ))
        unclear = self.send(self.body(
            name="Elif Aydın", service="Haarschnitt", appointment_start=f"{weekdays} um drei",
            summary=f"Möchte {weekdays} um 15 Uhr einen Haarschnitt.",
            turns=[user(f"{weekdays} um drei, egal bei wem."), agent("Ich gebe das weiter, Sie bekommen eine Bestätigung.")],
        ))
        unknown_service = self.send(self.body(
            name="Monika Petersen", service="Strähnchen und die Spitzen", appointment_start=at(later, "16:30"),
            summary="Möchte Strähnchen und die Spitzen geschnitten haben.",
            turns=[user("Strähnchen und die Spitzen, um halb fünf."), agent("Ich gebe das weiter.")],
        ))
        callback = self.send(self.body(
            name="Petra Lindner", intent="Rückruf", service="Hochsteckfrisur", notes="Meine Tochter heiratet am Samstag.",
            summary="Möchte eine Hochsteckfrisur für die Hochzeit der Tochter besprechen und bittet um Rückruf.",
            turns=[user("Meine Tochter heiratet am Samstag. Da müsste ich mit jemandem sprechen."), agent("Gern. Es ruft Sie jemand zurück.")],
        ))
        phone = next(self.phones)
        kept = self.send(self.body(name="Dieter Klose", phone=phone, service="Haarschnitt", staff_member="Lena", appointment_start=at(later, "11:30")))
        self.until(kept, {"assigned"})
        cancel = self.send(self.body(
            name="Dieter Klose", phone=phone, intent="absagen",
            summary="Sagt den Termin ab, ist krank.",
            turns=[user("Ich muss leider absagen, ich liege flach."), agent("Ich gebe Ihre Absage weiter. Gute Besserung!")],
        ))
        promised = self.promised(tomorrow)
        host = self.unknown_host(last)
        setup = self.setup_fault(later, last)
        waiting = {"taken": taken, "unclear": unclear, "service": unknown_service, "callback": callback,
                   "cancel": cancel, "promised": promised, "host": host, "setup": setup}
        for kind, id in waiting.items():
            shown = self.until(id, {"needs_review", "assigned"})
            if shown["state"] != "needs_review":
                fail(f"failed to load the demo week: what should wait as {kind!r} is {shown['state']}")
        return waiting

    def promised(self, day):
        """A tool said that it is being entered; then the time went to somebody else."""
        start = day.replace(hour=16, minute=30, second=0, microsecond=0)
        self.order_fault(EVENT_TYPES["color-anna"], "error")
        body = self.body(name="Jonas Brandt", service="Farbe", staff_member="Anna", appointment_start=start.strftime("%Y-%m-%d %H:%M"),
                         turns=[("user", "Farbe bei Anna, morgen um halb fünf."), ("agent", "Ich trage Sie ein. Bis morgen!")])
        live = body["call"] | {"call_status": "ongoing"}
        live.pop("call_analysis")
        args = {"service": "Farbe", "staff": "Anna", "start": start.strftime("%Y-%m-%d %H:%M"), "name": "Jonas Brandt"}
        url = f"{self.deployed.tools_url}/book_appointment"
        status, answer = call.send(url, RETELL_KEY, json.dumps({"name": "book_appointment", "args": args, "call": live}).encode())
        if status != 200 or answer.get("status") != "being_entered":
            fail(f"failed to load the demo week: the tool responded {status} {answer}")
        self.book_at_calcom(EVENT_TYPES["color-anna"], start)
        self.send_quietly(body)
        return answer["appointment_id"]

    def send_quietly(self, body):
        """The call's analysis, which requests nothing more than the tool did."""
        call.send(self.deployed.webhook_url, RETELL_KEY, json.dumps(body, ensure_ascii=False).encode())

    def unknown_host(self, day):
        """Somebody new at Cal.com does three appointments, and nobody here knows who that is."""
        known = self.event_type("haircut")
        jule = {"id": 1414802, "name": "Jule R.", "email": "jule@salon-sommer.example"}
        self.put(f"event-types/{known['id']}", known | {"hosts": [jule]})
        ids = [self.send(self.body(service="Haarschnitt", appointment_start=day.strftime(f"%Y-%m-%d {clock}"))) for clock in ("12:00", "12:30", "16:30")]
        for id in ids:
            self.until(id, {"needs_review", "assigned"})
        self.put(f"event-types/{known['id']}", known | {"hosts": [*known["hosts"], jule]})
        return ids[0]

    def setup_fault(self, *days):
        """Cal.com requires a field that no caller can fill in."""
        known = self.event_type("color-lena")
        self.put(f"event-types/{known['id']}", known | {"required_fields": [{"slug": "haarlaenge", "label": "Haarlänge"}]})
        ids = [self.send(self.body(service="Farbe", staff_member="Lena", appointment_start=day.strftime("%Y-%m-%d 12:00"))) for day in days]
        return ids[0]

    def event_type(self, name):
        content = json.loads((ROOT / "tests/stand-in/salon-sommer.json").read_text())
        return next(it for it in content["event_types"] if it["id"] == EVENT_TYPES[name])

    def order_fault(self, event_type, kind):
        self.put(f"event-types/{event_type}/faults", {"request": "book", "times": 1, "kind": kind}, "POST")

    def book_at_calcom(self, event_type, start):
        body = {"start": start.astimezone().isoformat(), "eventTypeId": event_type,
                "attendee": {"name": "Webseite", "timeZone": "Europe/Berlin", "email": "web@salon-sommer.example"}}
        body["start"] = datetime.fromtimestamp(start.timestamp()).astimezone().isoformat()
        headers = {"authorization": "Bearer cal_local_frontdesk", "cal-api-version": "2024-08-13"}
        self.request(f"{self.deployed.calcom_url}/v2/bookings", body, "POST", headers)

    def put(self, path, body, method="PUT"):
        self.request(f"{self.deployed.calcom_url}/_stand-in/{path}", body, method, {})

    def request(self, url, body, method, headers):
        headers = {"content-type": "application/json", **headers}
        request = urllib.request.Request(url, data=json.dumps(body).encode(), headers=headers, method=method)
        urllib.request.urlopen(request, timeout=30).read()
