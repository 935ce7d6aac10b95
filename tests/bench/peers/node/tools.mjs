// Answers a voice agent's tools the ordinary way: verifies, finds the tenant, asks Cal.com, stores, answers.

import { createHmac, timingSafeEqual } from "node:crypto";
import { Logger } from "@aws-lambda-powertools/logger";
import { getSecret } from "@aws-lambda-powertools/parameters/secrets";
import { DynamoDBClient, GetItemCommand, PutItemCommand } from "@aws-sdk/client-dynamodb";

const EVENT_TYPE = 2563193;

const logger = new Logger({ serviceName: "voice-tools" });
const dynamodb = new DynamoDBClient({});
const tenants = new Map();

export async function handler(event) {
  const raw = Buffer.from(event.body ?? "");
  const [keys, calcomKeys] = await Promise.all([
    getSecret(process.env.RETELL_KEYS_SECRET, { transform: "json", maxAge: 300 }),
    getSecret(process.env.CALCOM_KEYS_SECRET, { transform: "json", maxAge: 300 }),
  ]);
  if (!isSigned(raw, event.headers["x-retell-signature"] ?? "", keys.main.current)) return answer(401, { error: "signature" });
  const { name, args, call } = JSON.parse(raw.toString("utf8"));
  const tenant = await tenantOf(call.agent_id);
  if (!tenant) return answer(404, { error: "unknown_tenant" });
  const authorization = `Bearer ${calcomKeys.local}`;
  const said = name === "check_availability" ? await check(args, authorization) : await book(args, call, tenant, authorization);
  logger.info("tool answered", { tool: name, call_id: call.call_id });
  return answer(200, said);
}

async function check({ wish }, authorization) {
  const start = new Date(wish);
  const free = await slots(start, authorization);
  return { status: "free", slots: free.slice(0, 10), say: `Frei ist ${free.slice(0, 3).join(", ")}.` };
}

async function book({ start, name }, call, tenant, authorization) {
  const at = new Date(start);
  const free = await slots(at, authorization);
  if (!free.some((slot) => new Date(slot).getTime() === at.getTime())) return { status: "not_free", slots: free.slice(0, 3) };
  const made = await fetch(`${process.env.CALCOM_BASE_URL}/v2/bookings`, {
    method: "POST",
    headers: { authorization, "cal-api-version": "2024-08-13", "content-type": "application/json" },
    body: JSON.stringify({
      start: at.toISOString(), eventTypeId: EVENT_TYPE, metadata: { call: call.call_id },
      attendee: { name, email: `${call.call_id}@example.org`, timeZone: "Europe/Berlin", language: "de", phoneNumber: call.from_number },
    }),
  });
  if (!made.ok) throw new Error(`bookings: ${made.status}`);
  const { data } = await made.json();
  const Item = { id: { S: `${tenant}/${call.call_id}` }, item: { S: "peer" }, uid: { S: data.uid }, start: { S: at.toISOString() } };
  await dynamodb.send(new PutItemCommand({ TableName: process.env.APPOINTMENTS_TABLE, Item }));
  return { status: "booked", say: `Gebucht: ${start}.` };
}

async function slots(start, authorization) {
  const window = new URLSearchParams({
    eventTypeId: EVENT_TYPE, start: start.toISOString(), end: new Date(start.getTime() + 7 * 86_400_000).toISOString(),
  });
  const url = `${process.env.CALCOM_BASE_URL}/v2/slots?${window}`;
  const listed = await fetch(url, { headers: { authorization, "cal-api-version": "2024-09-04" } });
  if (!listed.ok) throw new Error(`slots: ${listed.status}`);
  return Object.values((await listed.json()).data).flat().map((slot) => slot.start);
}

function isSigned(raw, header, key) {
  const fields = Object.fromEntries(header.split(",").map((part) => part.split("=", 2)));
  if (!fields.v || !fields.d || Math.abs(Date.now() - Number(fields.v)) > 300_000) return false;
  const made = createHmac("sha256", key).update(raw).update(fields.v).digest();
  const digest = Buffer.from(fields.d, "hex");
  return made.length === digest.length && timingSafeEqual(made, digest);
}

async function tenantOf(agent) {
  if (!tenants.has(agent)) {
    const Key = { key: { S: `agent#${agent}` }, item: { S: "route" } };
    const { Item } = await dynamodb.send(new GetItemCommand({ TableName: process.env.TENANTS_TABLE, Key }));
    tenants.set(agent, Item?.tenant?.S ?? Item?.id?.S);
  }
  return tenants.get(agent);
}

function answer(statusCode, body) {
  return { statusCode, headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}
