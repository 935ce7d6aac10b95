"""Books appointments the ordinary way: claims, asks Cal.com, stores, queues."""

import json
import os
from datetime import datetime, timedelta

import boto3
import requests
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities import parameters
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response

EVENT_TYPE = 2563193

logger = Logger(service="calcom-booking")
metrics = Metrics(namespace="Frontdesk", service="calcom-booking")
processor = BatchProcessor(event_type=EventType.SQS)
dynamodb = boto3.client("dynamodb")
sqs = boto3.client("sqs")
calcom = requests.Session()
# The bench's certificate is no authority of its own.
calcom.verify = os.environ.get("AWS_CA_BUNDLE", True)


def handler(event, context):
    answered = process_partial_response(event=event, record_handler=book, processor=processor, context=context)
    metrics.flush_metrics()
    return answered


def book(record):
    order = json.loads(record.body if hasattr(record, "body") else record["body"])
    key = {"id": {"S": order["appointment"]}, "item": {"S": "peer"}}
    table = os.environ["APPOINTMENTS_TABLE"]
    found = dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True)["Item"]
    if found["state"]["S"] != "requested":
        return
    record = json.loads(found["record"]["S"])
    move(table, key, "requested", "booking", record)
    keys = parameters.get_secret(os.environ["CALCOM_KEYS_SECRET"], transform="json", max_age=300)
    booking = ask_calcom(keys["local"], order, record)
    record["booking"] = booking
    move(table, key, "booking", "booked", record)
    sqs.send_message(QueueUrl=os.environ["ASSIGNMENTS_QUEUE_URL"], MessageBody=json.dumps(order))
    metrics.add_metric(name="Booked", unit=MetricUnit.Count, value=1)
    logger.info("booked", tenant=order["tenant"], call_id=order["call"], appointment_id=order["appointment"])


def move(table, key, before, after, record):
    record["history"].append({"at": datetime.now().isoformat(), "to": after, "by": "calcom-booking"})
    dynamodb.update_item(
        TableName=table, Key=key,
        UpdateExpression="SET #state = :after, #record = :record", ConditionExpression="#state = :before",
        ExpressionAttributeNames={"#state": "state", "#record": "record"},
        ExpressionAttributeValues={":before": {"S": before}, ":after": {"S": after}, ":record": {"S": json.dumps(record)}},
    )


def ask_calcom(key, order, record):
    base, start = os.environ["CALCOM_BASE_URL"], datetime.fromisoformat(record["start"])
    written = start.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    window = {
        "eventTypeId": EVENT_TYPE, "start": written, "end": (start + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
    }
    headers = {"Authorization": f"Bearer {key}", "cal-api-version": "2024-09-04"}
    slots = calcom.get(f"{base}/v2/slots", params=window, headers=headers, timeout=10)
    slots.raise_for_status()
    if not any(datetime.fromisoformat(slot["start"]) == start for day in slots.json()["data"].values() for slot in day):
        raise RuntimeError("the slot is taken")
    headers["cal-api-version"] = "2024-08-13"
    customer = record["customer"]
    wanted = {
        "start": written, "eventTypeId": EVENT_TYPE,
        "attendee": {"name": customer["name"], "email": customer["email"], "timeZone": "Europe/Berlin", "language": "de"},
        "metadata": {"frontdeskAppointmentId": order["appointment"], "frontdeskCallId": order["call"]},
    }
    made = calcom.post(f"{base}/v2/bookings", json=wanted, headers=headers, timeout=20)
    made.raise_for_status()
    return made.json()["data"]
