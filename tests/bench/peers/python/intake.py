"""Takes Retell's webhooks the ordinary way: verifies, stores, queues, answers."""

import base64
import hashlib
import hmac
import json
import os
import time
import uuid
from datetime import datetime
from zoneinfo import ZoneInfo

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities import parameters
from botocore.exceptions import ClientError

FIVE_MINUTES = 300_000
NAMESPACE = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")

logger = Logger(service="webhook-intake")
metrics = Metrics(namespace="Frontdesk", service="webhook-intake")
dynamodb = boto3.client("dynamodb")
sqs = boto3.client("sqs")
tenants = {}


def handler(event, context):
    body = event.get("body") or ""
    raw = base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()
    keys = parameters.get_secret(os.environ["RETELL_KEYS_SECRET"], transform="json", max_age=300)
    account = signer_of(raw, event["headers"].get("x-retell-signature", ""), keys)
    if account is None:
        return refused(401, "signature_wrong")
    try:
        webhook = json.loads(raw)
        call = webhook["call"]
    except (ValueError, KeyError):
        return refused(400, "not_json")
    tenant = tenant_of(call.get("agent_id"))
    if tenant is None or tenant["retell"]["account"] != account:
        return refused(404, "unknown_tenant")
    wish = call.get("call_analysis", {}).get("custom_analysis_data", {})
    if webhook["event"] != "call_analyzed" or not wish.get("appointment_requested"):
        return answer(200, {"status": "stored"})
    appointment = str(uuid.uuid5(NAMESPACE, f"{tenant['id']}/{call['call_id']}"))
    if store(raw, webhook, call, wish, tenant, appointment):
        message = {"v": 1, "kind": "process", "tenant": tenant["id"], "appointment": appointment, "call": call["call_id"]}
        sqs.send_message(QueueUrl=os.environ["BOOKINGS_QUEUE_URL"], MessageBody=json.dumps(message))
    logger.info("the call is stored", tenant=tenant["id"], call_id=call["call_id"], appointment_id=appointment)
    return answer(200, {"status": "stored", "appointment_id": appointment})


def signer_of(raw, header, keys):
    """The account whose key made the signature, if it is not older than five minutes."""
    try:
        fields = dict(part.split("=", 1) for part in header.split(","))
        at, digest = fields["v"], fields["d"]
        if abs(time.time() * 1000 - int(at)) > FIVE_MINUTES:
            return None
    except (ValueError, KeyError):
        return None
    for account, versions in keys.items():
        for key in versions.values():
            made = hmac.new(key.encode(), raw + at.encode(), hashlib.sha256).hexdigest()
            if hmac.compare_digest(made, digest):
                return account
    return None


def tenant_of(agent):
    """The tenant of an agent, kept for a minute."""
    kept_at, tenant = tenants.get(agent, (0, None))
    if time.time() - kept_at < 60:
        return tenant
    route = dynamodb.get_item(
        TableName=os.environ["TENANTS_TABLE"], Key={"key": {"S": f"agent#{agent}"}, "item": {"S": "route"}}
    ).get("Item")
    if route is None:
        return None
    tenant = {"id": route["tenant"]["S"], "retell": {"account": "main"}, "time_zone": "Europe/Berlin"}
    tenants[agent] = (time.time(), tenant)
    return tenant


def store(raw, webhook, call, wish, tenant, appointment):
    """Stores call and appointment, and answers whether they are new."""
    start = datetime.strptime(wish["appointment_start"], "%Y-%m-%d %H:%M").replace(tzinfo=ZoneInfo(tenant["time_zone"]))
    record = {
        "state": "requested", "start": start.astimezone(ZoneInfo("UTC")).isoformat(), "service": wish.get("service"),
        "customer": {"name": wish.get("customer_name"), "phone": wish.get("customer_phone"), "email": wish.get("customer_email")},
        "history": [{"at": datetime.now(ZoneInfo("UTC")).isoformat(), "to": "requested", "by": "webhook-intake"}],
    }
    new = "attribute_not_exists(#id)"
    try:
        dynamodb.transact_write_items(TransactItems=[
            {"Put": {
                "TableName": os.environ["CALLS_TABLE"],
                "Item": {
                    "call": {"S": f"{tenant['id']}#{call['call_id']}"}, "event": {"S": webhook["event"]}, "body": {"B": raw},
                    "expires_at": {"N": str(int(time.time()) + 30 * 86400)},
                },
                "ConditionExpression": new, "ExpressionAttributeNames": {"#id": "call"},
            }},
            {"Put": {
                "TableName": os.environ["APPOINTMENTS_TABLE"],
                "Item": {
                    "id": {"S": appointment}, "item": {"S": "peer"}, "tenant": {"S": tenant["id"]},
                    "call": {"S": call["call_id"]}, "state": {"S": "requested"}, "record": {"S": json.dumps(record)},
                },
                "ConditionExpression": new, "ExpressionAttributeNames": {"#id": "id"},
            }},
        ])
        return True
    except ClientError as error:
        if error.response["Error"]["Code"] == "TransactionCanceledException":
            return False
        raise


def refused(status, word):
    metrics.add_metric(name="WebhookRejected", unit=MetricUnit.Count, value=1)
    metrics.flush_metrics()
    return answer(status, {"error": word})


def answer(status, body):
    return {"statusCode": status, "headers": {"content-type": "application/json"}, "body": json.dumps(body)}
