"""The stack of infra/template.yaml on this machine. Five things of the template change: the location of the code; a new version
gets all traffic at once; and MiniStack knows no alarm by an expression, no parameter for a source's concurrency, and no style of
the sign-in pages."""

import io
import json
import os
import platform
import re
import shutil
import subprocess
import zipfile

import boto3

from . import tools
from .console import fail, say
from .processes import free_port, wait_until_up
from .tools import RETELL_KEY, ROOT, WORK

FUNCTIONS = [
    "webhook-intake",
    "call-recovery",
    "voice-tools",
    "calcom-booking",
    "staff-assignment",
    "past-cleanup",
    "sync-reconciler",
    "review-notifier",
    "back-office",
    "desk",
    "quality-monitor",
]
REGION = "eu-central-1"
STACK = "frontdesk"
BUCKET = "frontdesk-code"
USUAL_PORT = 4599
# Where the mail to tenants comes from. It reaches nobody: it is kept as files.
MAIL_SENDER = "termine@frontdesk.example"
RETELL_ACCOUNT = "main"
CALCOM_ACCOUNT = "local"
CALCOM_STAND_IN_KEY = "cal_local_frontdesk"
# One account for each salon of a test: the rate limit of one account does not delay another.
FURTHER_CALCOM_ACCOUNTS = [f"salon-{nth}" for nth in range(400)]


class Stack:
    """A deployed stack: its endpoint, its outputs, and how it is reached."""

    def __init__(self, name, endpoint, outputs, calcom_url, retell_url, timing_divisor):
        self.name = name
        self.endpoint = endpoint
        self.timing_divisor = timing_divisor
        self.outputs = outputs
        self.calcom_url = calcom_url
        self.retell_url = retell_url
        self.webhook_url = webhook_url(outputs, endpoint)
        self.tools_url = url_at(outputs, endpoint, "ToolsUrl", "/tools")
        self.inbound_url = url_at(outputs, endpoint, "InboundUrl", "/webhooks/retell/inbound")
        self.desk_url = outputs["DeskUrl"]

    def environment(self):
        """The environment in which the command, a function or a test finds this stack."""
        return variables(self.outputs) | {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "DEAD_LETTER_QUEUE_URL": self.outputs["BookingsDeadLetterQueueUrl"],
            "CALCOM_BASE_URL": self.calcom_url,
            "RETELL_BASE_URL": self.retell_url,
            "WEBHOOK_URL": self.webhook_url,
            "TOOLS_URL": self.tools_url,
            "INBOUND_URL": self.inbound_url,
            "MAIL_DIRECTORY": str(mail_directory()),
            "TIMING_DIVISOR": str(self.timing_divisor),
            "STACK_NAME": self.name,
            "FRONTDESK_COMMAND": str(binary("frontdesk")),
        }


def webhook_url(outputs, endpoint):
    """The URL of the webhook."""
    return url_at(outputs, endpoint, "WebhookUrl", "/webhooks/retell")


def url_at(outputs, endpoint, output, path):
    """A URL of the API. AWS serves it at a host of its own, and the local AWS at its endpoint."""
    return f"{endpoint}/_aws/execute-api/{outputs['WebhookApiId']}/$default{path}" if endpoint else outputs[output]


def desk_url(name, endpoint):
    """The URL of the desk of a stack here. Browsers take every name under `localhost` for this machine, and for one that is as
    safe as HTTPS, so that the cookies of a session work."""
    return f"http://{name}.localhost:{endpoint.rpartition(':')[2]}"


def serve_desk(outputs, endpoint):
    """Serves the desk's API at its name. The local AWS maps names to REST APIs alone, and finds an HTTP API all the same."""
    gateway, name = client("apigateway", endpoint), outputs["DeskUrl"].split("//")[1].partition(":")[0]
    gateway.create_domain_name(domainName=name, endpointConfiguration={"types": ["REGIONAL"]})
    gateway.create_base_path_mapping(domainName=name, restApiId=outputs["DeskApiId"], stage="$default")


def variables(outputs):
    """The environment in which the command finds the stack with these outputs."""
    return {
        "APPOINTMENTS_TABLE": outputs["AppointmentsTable"],
        "CALLS_TABLE": outputs["CallsTable"],
        "CALLS_BUCKET": outputs["CallsBucket"],
        "TENANTS_TABLE": outputs["TenantsTable"],
        "COUNTERS_TABLE": outputs["CountersTable"],
        "SESSIONS_TABLE": outputs["SessionsTable"],
        "USER_POOL": outputs["UserPool"],
        "DESK_URL": outputs["DeskUrl"],
        "ALERTS_TOPIC": outputs["AlertsTopic"],
        "REPORTS_BUCKET": outputs["ReportsBucket"],
        "BOOKINGS_QUEUE_URL": outputs["BookingsQueueUrl"],
        "ASSIGNMENTS_QUEUE_URL": outputs["AssignmentsQueueUrl"],
        "BOOKINGS_DEAD_LETTER_QUEUE_URL": outputs["BookingsDeadLetterQueueUrl"],
        "ASSIGNMENTS_DEAD_LETTER_QUEUE_URL": outputs["AssignmentsDeadLetterQueueUrl"],
        "RETELL_KEYS_SECRET": outputs["RetellKeysSecret"],
        "CALCOM_KEYS_SECRET": outputs["CalcomKeysSecret"],
    }


def build(*test_tools):
    """Builds the functions and the command, and then Cal.com's stand-in and further test tools: separately, so that no
    feature that a test tool needs gets into a function."""
    if tools.is_built():
        return
    say(f"building with the profile {tools.PROFILE} (minutes the first time, seconds after that)")
    if tools.PROFILE == "release":
        tools.build_functions(FUNCTIONS)
    functions = FUNCTIONS if tools.PROFILE != "release" else []
    for packages in [*functions, "cli"], ["calcom-stand-in", *test_tools]:
        tools.cargo("build", "--locked", "--bins", *tools.profile(), *(f"--package={name}" for name in packages))


def binary(name):
    """The path of a built binary."""
    return tools.function_binary(name) if name in FUNCTIONS and tools.PROFILE == "release" else tools.binary(name)


def start(processes, port=None, timing_divisor=1, through=lambda name, url: url, **given):
    """Starts the stand-in for Retell and Cal.com (or uses the real Cal.com) and MiniStack, and deploys the template.

    `through` maps a name and a URL to the URL that the functions use, so that a test can put a proxy in between.
    """
    real_key = os.environ.get("CALCOM_API_KEY")
    stand_in_url = _start_stand_in(processes)
    calcom_url = os.environ.get("CALCOM_BASE_URL", "https://api.cal.com") if real_key else stand_in_url
    endpoint = _start_ministack(processes, port, through)
    os.environ.update(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_DEFAULT_REGION=REGION)
    return deploy(STACK, endpoint, calcom_url, f"{stand_in_url}/retell", timing_divisor, through("calcom", calcom_url), **given)


def deploy(name, endpoint, calcom_url, retell_url, timing_divisor=1, calcom_url_of_functions=None, **given):
    """Deploys the template as the stack of this name with these parameters, and stores keys in its secrets."""
    say(f"deploying infra/template.yaml as {name}, with Cal.com at {calcom_url}")
    client("ses", endpoint).verify_domain_identity(Domain=MAIL_SENDER.partition("@")[2])
    given = {"MailSender": MAIL_SENDER, "DeskUrl": desk_url(name, endpoint), "SignInUrl": endpoint, "CalcomBaseUrl": calcom_url_of_functions or calcom_url, "RetellBaseUrl": retell_url, **given}
    outputs = _deploy(name, endpoint, timing_divisor, given)
    serve_desk(outputs, endpoint)
    stack = Stack(name, endpoint, outputs, calcom_url, retell_url, timing_divisor)
    real_key = os.environ.get("CALCOM_API_KEY")
    secrets = client("secretsmanager", endpoint)
    retell_keys = {RETELL_ACCOUNT: {"current": RETELL_KEY}}
    calcom_keys = {CALCOM_ACCOUNT: real_key or CALCOM_STAND_IN_KEY} | {
        account: f"{CALCOM_STAND_IN_KEY}_{account}" for account in FURTHER_CALCOM_ACCOUNTS
    }
    secrets.put_secret_value(SecretId=stack.outputs["RetellKeysSecret"], SecretString=json.dumps(retell_keys))
    secrets.put_secret_value(SecretId=stack.outputs["CalcomKeysSecret"], SecretString=json.dumps(calcom_keys))
    return stack


def frontdesk(stack, *arguments):
    """Runs the command against the stack, and returns its output."""
    environment = {**os.environ, **stack.environment()}
    done = subprocess.run([binary("frontdesk"), *arguments], env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        fail(done.stderr.strip())
    return done.stdout


def mail_directory():
    """Where every mail is kept, as a Maildir."""
    return tools.LOGS / "mail"


def _start_mail(processes):
    """Starts a mail server that keeps what it gets, and returns its address."""
    shutil.rmtree(mail_directory(), ignore_errors=True)
    mail_directory().parent.mkdir(parents=True, exist_ok=True)
    address, log = f"127.0.0.1:{free_port()}", tools.LOGS / "mail.log"
    keep = ["-c", "aiosmtpd.handlers.Mailbox", mail_directory()]
    processes.start([tools.ENVIRONMENT / "bin/python", "-m", "aiosmtpd", "-n", "-l", address, *keep], log)
    return address


def _start_stand_in(processes):
    port = free_port()
    say(f"starting the stand-in for Retell and Cal.com on port {port}")
    log = tools.LOGS / "calcom-stand-in.log"
    content = ROOT / "tests/stand-in/salon-sommer.json"
    process = processes.start([binary("calcom-stand-in"), port, content], log)
    url = f"http://127.0.0.1:{port}"
    wait_until_up("The stand-in for Retell and Cal.com", url, process, log)
    return url


def _start_ministack(processes, preferred_port, through):
    port = free_port(preferred_port or USUAL_PORT)
    say(f"starting MiniStack, which stands in for AWS, on port {port}")
    endpoint = f"http://127.0.0.1:{port}"
    log = tools.LOGS / "ministack.log"
    # MiniStack unpacks every version of every function there: about 70 MB each.
    scratch = processes.folder(tools.LOGS / "scratch" / str(port))
    process = processes.start(
        [tools.ENVIRONMENT / "bin/ministack"],
        log,
        SMTP_HOST=_start_mail(processes),
        GATEWAY_PORT=str(port),
        BIND_HOST="127.0.0.1",
        MINISTACK_HOST="127.0.0.1",
        MINISTACK_REGION=REGION,
        AWS_DEFAULT_REGION=REGION,
        AWS_ENDPOINT_URL=through("aws", endpoint),
        TMPDIR=str(scratch),
        LOG_LEVEL="WARNING",
    )
    wait_until_up("MiniStack", f"{endpoint}/_ministack/health", process, log)
    return endpoint


def _deploy(name, endpoint, timing_divisor, given):
    s3 = client("s3", endpoint)
    if BUCKET not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]:
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    template = adapted_template()
    for function in FUNCTIONS:
        s3.put_object(Bucket=BUCKET, Key=f"{function}.zip", Body=package(function))
        place = rf"CodeUri: \.\./target/lambda/{function}/$"
        template = _replaced_once(template, place, f"CodeUri: s3://{BUCKET}/{function}.zip")
    # CloudFormation accepts at most 51,200 bytes of a template in the request itself.
    s3.put_object(Bucket=BUCKET, Key="template.yaml", Body=template.encode())
    formation = client("cloudformation", endpoint)
    parameters = {
        "Architecture": "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64",
        "FrontdeskVersion": _version(),
        "AlertEmail": "",
        "TimingDivisor": str(timing_divisor),
        **given,
    }
    formation.create_stack(
        StackName=name,
        TemplateURL=f"{endpoint}/{BUCKET}/template.yaml",
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
    )
    try:
        formation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    except Exception as error:
        events = formation.describe_stack_events(StackName=name)["StackEvents"]
        causes = [f"{e['LogicalResourceId']}: {e.get('ResourceStatusReason', '')}" for e in events if "FAILED" in e["ResourceStatus"]]
        fail(f"failed to deploy the stack: {error}\n" + "\n".join(causes))
    outputs = formation.describe_stacks(StackName=name)["Stacks"][0]["Outputs"]
    return {output["OutputKey"]: output["OutputValue"] for output in outputs}


def adapted_template():
    """The template as MiniStack can deploy it."""
    template = (ROOT / "infra/template.yaml").read_text()
    # There is no CodeDeploy here; and SAM's transform sees the default of a parameter here, not its value.
    gradual = r"(GradualDeployment:\n    Type: String\n    Default:) \"true\"$"
    template = _replaced_once(template, gradual, r'\1 "false"')
    template = _replaced_once(template, r"^  # Without a style .*\n  SignInPages:\n(?:    .*\n)+\n", "")
    for parameter in ("BookingConcurrency", "AssignmentConcurrency"):
        template = _replaced_once(template, rf"MaximumConcurrency: !Ref {parameter}\}}", "MaximumConcurrency: 5}")
    for alarm in ("RefusedSignaturesAlarm", "RefusedEventsAlarm"):
        template = _replaced_once(template, rf"^  {alarm}:\n(?:    .*\n)+\n", "")
        template = _replaced_once(template, rf", !Ref {alarm}(?=[,\]])", "")
    return template


def _replaced_once(template, pattern, replacement):
    replaced, times = re.subn(pattern, replacement, template, flags=re.M)
    if times != 1:
        fail(f"failed to prepare infra/template.yaml: it contains {pattern} {times} times instead of once")
    return replaced


def package(function):
    """A function's package, as it is deployed."""
    packed = io.BytesIO()
    # What is not deployed is not worth compressing.
    kind = zipfile.ZIP_DEFLATED if tools.PROFILE == "release" else zipfile.ZIP_STORED
    with zipfile.ZipFile(packed, "w", kind) as archive:
        archive.write(binary(function), "bootstrap")
    return packed.getvalue()


def _version():
    shown = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True)
    return shown.stdout.strip() or "local"


def client(service, endpoint):
    """A client of the local stand-in for AWS."""
    return boto3.client(service, endpoint_url=endpoint, region_name=REGION)


def write_environment(stack):
    """Writes the environment of the stack as exports for other shells."""
    path = f"{tools.ENVIRONMENT / 'bin'}:$PATH"
    exports = [f"export {name}='{value}'" for name, value in stack.environment().items()]
    (WORK / "local.env").write_text("\n".join([*exports, f'export PATH="{path}"', ""]))
