// Books appointments the ordinary way: claims, asks Cal.com, stores, queues.

import { BatchProcessor, EventType, processPartialResponse } from "@aws-lambda-powertools/batch";
import { Logger } from "@aws-lambda-powertools/logger";
import { Metrics, MetricUnit } from "@aws-lambda-powertools/metrics";
import { getSecret } from "@aws-lambda-powertools/parameters/secrets";
import { DynamoDBClient, GetItemCommand, UpdateItemCommand } from "@aws-sdk/client-dynamodb";
import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";

const EVENT_TYPE = 2563193;

const logger = new Logger({ serviceName: "calcom-booking" });
const metrics = new Metrics({ namespace: "Frontdesk", serviceName: "calcom-booking" });
const processor = new BatchProcessor(EventType.SQS);
const dynamodb = new DynamoDBClient({});
const sqs = new SQSClient({});

export async function handler(event, context) {
  const answered = await processPartialResponse(event, book, processor, { context });
  metrics.publishStoredMetrics();
  return answered;
}

async function book(message) {
  const order = JSON.parse(message.body);
  const Key = { id: { S: order.appointment }, item: { S: "peer" } };
  const TableName = process.env.APPOINTMENTS_TABLE;
  const { Item } = await dynamodb.send(new GetItemCommand({ TableName, Key, ConsistentRead: true }));
  if (Item.state.S !== "requested") return;
  const record = JSON.parse(Item.record.S);
  await move(TableName, Key, "requested", "booking", record);
  const keys = await getSecret(process.env.CALCOM_KEYS_SECRET, { transform: "json", maxAge: 300 });
  record.booking = await askCalcom(keys.local, order, record);
  await move(TableName, Key, "booking", "booked", record);
  await sqs.send(new SendMessageCommand({ QueueUrl: process.env.ASSIGNMENTS_QUEUE_URL, MessageBody: JSON.stringify(order) }));
  metrics.addMetric("Booked", MetricUnit.Count, 1);
  logger.info("booked", { tenant: order.tenant, call_id: order.call, appointment_id: order.appointment });
}

async function move(TableName, Key, before, after, record) {
  record.history.push({ at: new Date().toISOString(), to: after, by: "calcom-booking" });
  await dynamodb.send(new UpdateItemCommand({
    TableName, Key,
    UpdateExpression: "SET #state = :after, #record = :record",
    ConditionExpression: "#state = :before",
    ExpressionAttributeNames: { "#state": "state", "#record": "record" },
    ExpressionAttributeValues: { ":before": { S: before }, ":after": { S: after }, ":record": { S: JSON.stringify(record) } },
  }));
}

async function askCalcom(key, order, record) {
  const base = process.env.CALCOM_BASE_URL;
  const start = new Date(record.start);
  const window = new URLSearchParams({
    eventTypeId: EVENT_TYPE, start: start.toISOString(), end: new Date(start.getTime() + 86_400_000).toISOString(),
  });
  const authorization = `Bearer ${key}`;
  const slots = await fetch(`${base}/v2/slots?${window}`, { headers: { authorization, "cal-api-version": "2024-09-04" } });
  if (!slots.ok) throw new Error(`slots: ${slots.status}`);
  const days = Object.values((await slots.json()).data);
  if (!days.flat().some((slot) => new Date(slot.start).getTime() === start.getTime())) throw new Error("the slot is taken");
  const { name, email } = record.customer;
  const made = await fetch(`${base}/v2/bookings`, {
    method: "POST",
    headers: { authorization, "cal-api-version": "2024-08-13", "content-type": "application/json" },
    body: JSON.stringify({
      start: start.toISOString(), eventTypeId: EVENT_TYPE,
      attendee: { name, email, timeZone: "Europe/Berlin", language: "de" },
      metadata: { frontdeskAppointmentId: order.appointment, frontdeskCallId: order.call },
    }),
  });
  if (!made.ok) throw new Error(`bookings: ${made.status}`);
  return (await made.json()).data;
}
