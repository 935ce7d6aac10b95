"""A signed call of a test tenant through the real URL: it is stored, and books nothing."""

import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

from frontdesk_local import call, tools
from frontdesk_local.console import fail, say
from frontdesk_local.stack import url_at, variables, webhook_url

TENANT = tools.ROOT / "infra/deployment/smoke-tenant.json"


def test(environment, deployment_id):
    """Delivers a call as Retell does. Without a key it can't be signed, and says how to store one."""
    outputs = environment.outputs()
    if not outputs:
        fail(f"failed to test the stack {environment.stack}: it does not exist. Deploy it first.")
    secrets = environment.client("secretsmanager")
    keys = json.loads(secrets.get_secret_value(SecretId=outputs["RetellKeysSecret"])["SecretString"])
    if not keys:
        say("there is no Retell key yet, so that no call can be signed. Store it, then test the stack:")
        print(f"""
  source .frontdesk/{environment.name}.env
  aws secretsmanager put-secret-value --secret-id "$RETELL_KEYS_SECRET" --secret-string '{{"main": {{"current": "key_..."}}}}'
  infra/deploy {environment.name} --smoke-test
""")
        return
    account = next(iter(keys))
    load_tenant(environment, outputs, account)
    raw = json.dumps({"event": "call_ended", "call": test_call(f"call_smoke_test_{deployment_id}")}).encode()
    url = webhook_url(outputs, os.environ.get("AWS_ENDPOINT_URL"))
    say("sending a signed call of the test tenant, one that is not signed, and the call of a tool")
    try:
        status, answer = call.send(url, keys[account]["current"], raw)
    except OSError as error:
        target = f" Point the CNAME record of its domain to {outputs['DomainTarget']}." if "DomainTarget" in outputs else ""
        fail(f"failed to reach {url}: {error}.{target} Then run `infra/deploy {environment.name} --smoke-test`")
    if (status, answer.get("status")) != (200, "stored") or "appointment_id" in answer:
        fail(f"failed to deliver the test call: the webhook responded {status} {answer}. Read the log of webhook-intake, or roll back: infra/deploy {environment.name} --roll-back")
    status, answer = call.send(url, None, raw)
    if status != 401:
        fail(f"failed to refuse a call that is not signed: the webhook responded {status} {answer}. Roll back: infra/deploy {environment.name} --roll-back")
    tool = {"name": "list_services", "args": {}, "call": test_call(f"call_smoke_test_{deployment_id}")}
    url = f"{url_at(outputs, os.environ.get('AWS_ENDPOINT_URL'), 'ToolsUrl', '/tools')}/{tool['name']}"
    status, answer = call.send(url, keys[account]["current"], json.dumps(tool).encode())
    if (status, answer.get("status")) != (200, "listed"):
        fail(f"failed to use a tool of the voice agent: {url} responded {status} {answer}. Read the log of voice-tools, or roll back: infra/deploy {environment.name} --roll-back")
    say("the signed call is stored, the other one refused, and a tool answers")


def test_call(call_id):
    tenant = json.loads(TENANT.read_text())
    now = time.time_ns() // 1_000_000
    return {
        "call_type": "phone_call",
        "call_id": call_id,
        "agent_id": tenant["retell"]["agent_ids"][0],
        "call_status": "ended",
        "direction": "inbound",
        "start_timestamp": now - 1000,
        "end_timestamp": now,
    }


def load_tenant(environment, outputs, account):
    """Loads the test tenant for the account whose key signs the call. Its calls request nothing, and it has no account at Cal.com."""
    tenant = json.loads(TENANT.read_text())
    tenant["retell"]["account"] = account
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / TENANT.name
        file.write_text(json.dumps(tenant))
        command = [tools.binary("frontdesk", "dev"), "tenant", "load", "--offline", "--apply", file]
        done = subprocess.run(command, env=shell(environment) | variables(outputs), capture_output=True, text=True)
    if done.returncode != 0:
        fail(f"failed to load the test tenant: {done.stderr.strip()}. Compare your rights with infra/deployer-policy.json.")


def shell(environment):
    """The shell's environment, with the account's credentials and region."""
    chosen = {"AWS_REGION": environment.region}
    if environment.profile:
        chosen["AWS_PROFILE"] = environment.profile
    return {**os.environ, **chosen}
