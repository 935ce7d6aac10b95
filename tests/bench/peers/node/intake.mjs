// Takes Retell's webhooks the ordinary way: verifies, stores, queues, answers.

import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { Logger } from "@aws-lambda-powertools/logger";
import { Metrics, MetricUnit } from "@aws-lambda-powertools/metrics";
import { getSecret } from "@aws-lambda-powertools/parameters/secrets";
import { DynamoDBClient, GetItemCommand, TransactWriteItemsCommand } from "@aws-sdk/client-dynamodb";
import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";

const FIVE_MINUTES = 300_000;

const logger = new Logger({ serviceName: "webhook-intake" });
const metrics = new Metrics({ namespace: "Frontdesk", serviceName: "webhook-intake" });
const dynamodb = new DynamoDBClient({});
const sqs = new SQSClient({});
const tenants = new Map();

export async function handler(event) {
  const body = event.body ?? "";
  const raw = Buffer.from(body, event.isBase64Encoded ? "base64" : "utf8");
  const keys = await getSecret(process.env.RETELL_KEYS_SECRET, { transform: "json", maxAge: 300 });
  const account = signerOf(raw, event.headers["x-retell-signature"] ?? "", keys);
  if (!account) return refused(401, "signature_wrong");
  let webhook;
  try {
    webhook = JSON.parse(raw.toString("utf8"));
  } catch {
    return refused(400, "not_json");
  }
  const call = webhook.call;
  if (!call) return refused(400, "not_a_retell_event");
  const tenant = await tenantOf(call.agent_id);
  if (tenant?.account !== account) return refused(404, "unknown_tenant");
  const wish = call.call_analysis?.custom_analysis_data ?? {};
  if (webhook.event !== "call_analyzed" || !wish.appointment_requested) return answer(200, { status: "stored" });
  const appointment = idOf(`${tenant.id}/${call.call_id}`);
  if (await store(raw, webhook, call, wish, tenant, appointment)) {
    const message = { v: 1, kind: "process", tenant: tenant.id, appointment, call: call.call_id };
    await sqs.send(new SendMessageCommand({ QueueUrl: process.env.BOOKINGS_QUEUE_URL, MessageBody: JSON.stringify(message) }));
  }
  logger.info("the call is stored", { tenant: tenant.id, call_id: call.call_id, appointment_id: appointment });
  return answer(200, { status: "stored", appointment_id: appointment });
}

/** The account whose key made the signature, if it is not older than five minutes. */
function signerOf(raw, header, keys) {
  const fields = Object.fromEntries(header.split(",").map((part) => part.split("=", 2)));
  if (!fields.v || !fields.d || Math.abs(Date.now() - Number(fields.v)) > FIVE_MINUTES) return undefined;
  const digest = Buffer.from(fields.d, "hex");
  for (const [account, versions] of Object.entries(keys)) {
    for (const key of Object.values(versions)) {
      const made = createHmac("sha256", key).update(raw).update(fields.v).digest();
      if (made.length === digest.length && timingSafeEqual(made, digest)) return account;
    }
  }
  return undefined;
}

/** The tenant of an agent, kept for a minute. */
async function tenantOf(agent) {
  const kept = tenants.get(agent);
  if (kept && Date.now() - kept.at < 60_000) return kept.tenant;
  const key = { key: { S: `agent#${agent}` }, item: { S: "route" } };
  const found = await dynamodb.send(new GetItemCommand({ TableName: process.env.TENANTS_TABLE, Key: key }));
  if (!found.Item) return undefined;
  const tenant = { id: found.Item.tenant.S, account: "main", timeZone: "Europe/Berlin" };
  tenants.set(agent, { at: Date.now(), tenant });
  return tenant;
}

/** Stores call and appointment, and answers whether they are new. */
async function store(raw, webhook, call, wish, tenant, appointment) {
  const record = {
    state: "requested",
    start: instant(wish.appointment_start, tenant.timeZone),
    service: wish.service,
    customer: { name: wish.customer_name, phone: wish.customer_phone, email: wish.customer_email },
    history: [{ at: new Date().toISOString(), to: "requested", by: "webhook-intake" }],
  };
  const isNew = (id) => ({ ConditionExpression: "attribute_not_exists(#id)", ExpressionAttributeNames: { "#id": id } });
  try {
    await dynamodb.send(new TransactWriteItemsCommand({
      TransactItems: [
        { Put: {
          TableName: process.env.CALLS_TABLE,
          Item: {
            call: { S: `${tenant.id}#${call.call_id}` }, event: { S: webhook.event }, body: { B: raw },
            expires_at: { N: String(Math.floor(Date.now() / 1000) + 30 * 86400) },
          },
          ...isNew("call"),
        } },
        { Put: {
          TableName: process.env.APPOINTMENTS_TABLE,
          Item: {
            id: { S: appointment }, item: { S: "peer" }, tenant: { S: tenant.id }, call: { S: call.call_id },
            state: { S: "requested" }, record: { S: JSON.stringify(record) },
          },
          ...isNew("id"),
        } },
      ],
    }));
    return true;
  } catch (error) {
    if (error.name === "TransactionCanceledException") return false;
    throw error;
  }
}

/** What the clock in this zone shows, as an instant. */
function instant(local, timeZone) {
  const asUtc = new Date(`${local.replace(" ", "T")}:00Z`);
  const shown = new Date(`${new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short", timeStyle: "medium" }).format(asUtc).replace(" ", "T")}Z`);
  return new Date(asUtc.getTime() - (shown.getTime() - asUtc.getTime())).toISOString();
}

/** The same id for the same call. */
function idOf(name) {
  const hex = createHash("sha1").update(name).digest("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

function refused(status, word) {
  metrics.addMetric("WebhookRefused", MetricUnit.Count, 1);
  metrics.publishStoredMetrics();
  return answer(status, { error: word });
}

function answer(status, body) {
  return { statusCode: status, headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}
