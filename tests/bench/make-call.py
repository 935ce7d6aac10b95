#!/usr/bin/env python3
"""Writes events/retell-call-four-minutes.json: a made-up call of four minutes in the size and form of a real one.

    tests/bench/make-call.py        the same file each time

What makes a real body large is here in its real proportion: every word with its times, twice (with and without the calls of
tools), the latency of each answer, and the costs. Nobody in it exists.
"""

import json
import random
from pathlib import Path

PLACE = Path(__file__).resolve().parents[2] / "events"
WORDS_A_MINUTE = 155
MINUTES = 4
OPENINGS = ["Ja,", "Also", "Genau,", "Moment,", "Ach so,", "Hm,", "Gut,", "Naja,", "Okay,", "Wissen Sie,", "Eigentlich", "Ehrlich gesagt"]
OF_THE_CALLER = [
    "ich war im {month} zuletzt bei Ihnen, da hat mir {staff} die Spitzen geschnitten und den Pony etwas kürzer gemacht",
    "am {day} kann ich erst nach {hour} Uhr, weil ich vorher noch die Kinder aus der {place} abholen muss",
    "könnte man das auch mit einer Tönung verbinden, so in Richtung {colour}, aber nicht zu dunkel",
    "meine Nummer ist die, von der ich gerade anrufe, die haben Sie bestimmt schon gespeichert",
    "wie lange dauert das denn ungefähr, ich müsste um {hour} Uhr wieder an der {place} sein",
    "meine {relative} wollte auch mitkommen, aber für die rufe ich lieber noch einmal gesondert an",
    "beim letzten Mal haben wir mit Karte bezahlt, das geht bei Ihnen doch weiterhin",
    "der {day} wäre mir am liebsten, notfalls nehme ich auch den {other_day}, da bin ich flexibel",
    "ist {staff} in der Woche überhaupt da, oder macht das dann jemand anderes",
    "ich habe recht lange Haare, bis unter die Schultern, das sollten Sie vielleicht dazuschreiben",
    "und was kostet das ungefähr mit Waschen und Föhnen, nur damit ich Bescheid weiß",
    "kann ich den Termin auch noch verschieben, falls mir in der {place} etwas dazwischenkommt",
]
OF_THE_AGENT = [
    "da schaue ich gern nach, am {day} ist um {hour} Uhr noch etwas frei, und am {other_day} am Nachmittag ebenfalls",
    "ein Haarschnitt mit Waschen und Föhnen dauert bei langen Haaren etwa eine Stunde, eine Tönung ungefähr vierzig Minuten länger",
    "{staff} arbeitet in dieser Woche von {day} bis {other_day}, an den übrigen Tagen ist sie im Urlaub",
    "das trage ich als Hinweis ein, damit {staff} sich genügend Zeit für Sie nehmen kann",
    "Sie können den Termin bis zum Tag davor kostenfrei verschieben, rufen Sie dafür einfach wieder hier an",
    "ich wiederhole das kurz, damit nichts verloren geht, es geht um einen Haarschnitt am {day} um {hour} Uhr",
    "Kartenzahlung ist selbstverständlich möglich, ebenso bar oder mit dem Telefon",
    "soll die Bestätigung an die Nummer gehen, von der Sie gerade anrufen, oder an eine andere",
]
FILLINGS = {
    "month": ["Januar", "März", "Mai", "Juli", "September", "Oktober"],
    "day": ["Montag", "Dienstag", "Mittwoch", "Donnerstag"],
    "other_day": ["Freitag", "Samstag", "Donnerstag"],
    "hour": ["neun", "zehn", "elf", "vierzehn", "fünfzehn", "siebzehn"],
    "staff": ["Anna", "Mehmet", "Lena"],
    "place": ["Schule", "Kita", "Musikschule", "Arbeit", "Praxis", "Haltestelle"],
    "colour": ["Kastanie", "Kupfer", "Mahagoni", "Honigblond"],
    "relative": ["Tochter", "Schwester", "Mutter", "Nachbarin"],
}


def main():
    random.seed(4)
    body = json.loads((PLACE / "retell-call-analyzed.json").read_text())
    call = body["call"]
    entries, clock, words = [], 0.4, 0
    while words < WORDS_A_MINUTE * MINUTES:
        role = "user" if len(entries) % 2 else "agent"
        entry, clock = utterance(role, clock)
        entries.append(entry)
        words += len(entry["words"])
    call["call_id"] = "call_5b1f0c9e7d324a68b2e4f7a1"
    call["agent_name"] = "Salon Sommer, Empfang"
    call["end_timestamp"] = call["start_timestamp"] + round(clock * 1000)
    call["duration_ms"] = round(clock * 1000)
    call["transcript"] = "".join(f"{'User' if e['role'] == 'user' else 'Agent'}: {e['content']}\n" for e in entries)
    call["transcript_object"] = entries
    call["transcript_with_tool_calls"] = with_tool_calls(entries)
    call["recording_url"] = "https://recordings.example/" + "%032x" % random.getrandbits(128) + "/recording.wav"
    call["public_log_url"] = "https://recordings.example/" + "%032x" % random.getrandbits(128) + "/public_log.txt"
    call["latency"] = {name: latency(len(entries) // 2) for name in ("e2e", "asr", "llm", "tts", "knowledge_base")}
    call["call_cost"] = {"product_costs": [{"product": p, "unit_price": 0.0917, "cost": 22.1} for p in ("elevenlabs_tts", "gpt", "voice")],
                         "total_duration_seconds": round(clock), "total_duration_unit_price": 0.25, "combined_cost": 66.3}
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    (PLACE / "retell-call-four-minutes.json").write_text(text + "\n")
    print(f"{len(text.encode()) / 1000:.0f} kB, {words} words, {clock / 60:.1f} minutes")


def utterance(role, clock):
    """One of the two says something, each word with its times."""
    text = random.choice(OF_THE_CALLER if role == "user" else OF_THE_AGENT)
    text = f"{random.choice(OPENINGS)} {text.format(**{name: random.choice(words) for name, words in FILLINGS.items()})}."
    timed = []
    clock += random.uniform(0.3, 1.4)
    for word in text.split():
        end = clock + 0.05 + 0.045 * len(word) * random.uniform(0.7, 1.5)
        timed.append({"word": word, "start": round(clock, 3), "end": round(end, 3)})
        clock = end + random.uniform(0.0, 0.12)
    return {"role": role, "content": text, "words": timed, "metadata": {"response_id": round(clock)}}, clock


def with_tool_calls(entries):
    told = []
    for number, entry in enumerate(entries):
        told.append(entry)
        if number % 9 == 4:
            name = "%012x" % random.getrandbits(48)
            told.append({"role": "tool_call_invocation", "tool_call_id": name, "name": "look_up_price", "arguments": '{"service":"Haarschnitt"}'})
            told.append({"role": "tool_call_result", "tool_call_id": name, "content": '{"price":"62,00 EUR","minutes":60}', "successful": True})
    return told


def latency(count):
    values = sorted(round(random.gauss(900, 250), 1) for _ in range(count))
    pick = lambda share: values[min(len(values) - 1, int(len(values) * share))]  # noqa: E731
    return {"p50": pick(0.5), "p90": pick(0.9), "p95": pick(0.95), "p99": pick(0.99), "max": values[-1], "min": values[0], "num": count, "values": values}


if __name__ == "__main__":
    main()
