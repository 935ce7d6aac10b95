#!/usr/bin/env python3
"""Two environments from one template in one account, one with a key of its own: neither sees the other, and a deleted one
leaves its data.

    tests/run environments
"""

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "infra/local"))
from frontdesk_local import tools  # noqa: E402
from frontdesk_local.console import fail, say  # noqa: E402

SETTLED_WITHIN = 60


def main():
    if sys.argv[1:]:
        sys.exit(__doc__)
    tools.run_inside()
    from frontdesk_local import stack
    from frontdesk_local.processes import Processes

    stack.build()
    with Processes() as processes:
        first = stack.start(processes)
        key = stack.client("kms", first.endpoint).create_key()["KeyMetadata"]["Arn"]
        second = stack.deploy("frontdesk-staging", first.endpoint, first.calcom_url, first.retell_url, KmsKeyArn=key)
        what_the_second_keeps_has_its_key(second, key)
        neither_sees_the_other(first, second)
        a_deleted_one_leaves_its_data(first, second)
    say("both hold")


def what_the_second_keeps_has_its_key(second, key):
    from frontdesk_local.stack import client

    sqs = client("sqs", second.endpoint)
    attributes = sqs.get_queue_attributes(QueueUrl=second.outputs["BookingsQueueUrl"], AttributeNames=["All"])["Attributes"]
    expect(attributes["KmsMasterKeyId"] == key, "the queue has another key")
    secret = client("secretsmanager", second.endpoint).describe_secret(SecretId=second.outputs["RetellKeysSecret"])
    expect(secret["KmsKeyId"] == key, "the secret has another key")


def neither_sees_the_other(first, second):
    shared = {key for key, value in first.outputs.items() if second.outputs[key] == value}
    expect(not shared, f"both have the same {shared}")
    booked = assign_a_call(first)
    expect(not appointments(second), "the second holds what was called at the first")
    assign_a_call(second, "call_of_the_second")
    expect(set(appointments(first)) == {booked}, "the first holds what was called at the second")


def a_deleted_one_leaves_its_data(first, second):
    from frontdesk_local.stack import client

    say("deleting frontdesk-staging")
    formation = client("cloudformation", first.endpoint)
    formation.delete_stack(StackName=second.name)
    formation.get_waiter("stack_delete_complete").wait(StackName=second.name, WaiterConfig={"Delay": 1})
    functions = [function["FunctionName"] for function in client("lambda", first.endpoint).list_functions()["Functions"]]
    expect(not [name for name in functions if name.startswith(second.name)], "its functions are still there")
    expect(len(appointments(second)) == 1, "its appointments are gone")
    secret = client("secretsmanager", first.endpoint).get_secret_value(SecretId=second.outputs["RetellKeysSecret"])
    expect("current" in secret["SecretString"], "its keys are gone")
    assign_a_call(first, "call_after_that")


def assign_a_call(deployed, call_id=None):
    """Has a call come to a stack, and answers its appointment once it is assigned."""
    from frontdesk_local import call, stack

    stack.frontdesk(deployed, "tenant", "load", "--apply", str(tools.ROOT / "infra/local/salon-sommer.json"))
    webhook = json.loads(call.body())
    if call_id:
        webhook["call"]["call_id"] = call_id
        asked = webhook["call"]["call_analysis"]["custom_analysis_data"]
        asked["appointment_start"] = asked["appointment_start"].replace("10:00", f"{10 + len(call_id) % 7}:30")
        asked["customer_email"] = f"{call_id}@beispiel.example"
        asked["customer_phone"] = webhook["call"]["from_number"] = ""
    raw = json.dumps(webhook).encode()
    status, answer = call.send(deployed.webhook_url, tools.RETELL_KEY, raw)
    expect(status == 200, f"{deployed.name} answers {status}: {answer}")
    deadline = time.monotonic() + SETTLED_WITHIN
    while time.monotonic() < deadline:
        shown = json.loads(stack.frontdesk(deployed, "appointment", "show", "--output", "json", answer["appointment_id"]))
        if shown["state"] == "assigned":
            say(f"{deployed.name}: assigned to {shown['staff']}")
            return answer["appointment_id"]
        time.sleep(0.2)
    fail(f"{deployed.name}: the appointment is {shown['state']} ({shown['reason']})")


def appointments(deployed):
    """The ids of all appointments in a stack's table."""
    from frontdesk_local.stack import client

    items = client("dynamodb", deployed.endpoint).scan(TableName=deployed.outputs["AppointmentsTable"])["Items"]
    return [item["id"]["S"] for item in items if item["item"]["S"] == "appointment"]


def expect(holds, otherwise):
    if not holds:
        fail(otherwise)


if __name__ == "__main__":
    main()
