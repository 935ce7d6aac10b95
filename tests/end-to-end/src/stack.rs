//! The deployed stack, over the wire.

use std::{env, future::Future, time::Duration};

use aws_config::timeout::TimeoutConfig;
use aws_sdk_lambda::{
    primitives::Blob,
    types::{Environment, FunctionCode, Runtime},
};
use chrono::{DateTime, Utc};
use platform::{aws, bucket::Bucket, env as environment, queues::AppointmentMessage};
use retell::signature;
use scheduling::{
    appointment::{Appointment, StateName},
    ids::{AppointmentId, CallId},
};
use secrecy::SecretString;
use serde_json::{Value, json};
use store::{Appointments, Calls, CounterStore, Tenants};

/// How long something may take to happen before a test takes it for lost.
const PATIENCE: Duration = Duration::from_secs(60);

/// The longest time-out of a function in the template.
const LONGEST_INVOCATION: Duration = Duration::from_secs(300);

/// The deployed stack.
pub struct Stack {
    /// The SDK's configuration, with the local endpoint.
    pub config: aws_config::SdkConfig,
    /// The table of appointments.
    pub appointments: Appointments,
    /// The table of counters.
    pub counters: CounterStore,
    /// The tables that intake writes.
    pub calls: Calls,
    /// The table of tenants.
    pub tenants: Tenants,
    /// For requests to the webhook and to Cal.com's stand-in.
    pub http: reqwest::Client,
}

/// What the webhook answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Value,
}

impl WebhookAnswer {
    /// The appointment that the call asks for.
    pub fn appointment(&self) -> AppointmentId {
        AppointmentId::new(self.body["appointment_id"].as_str().unwrap_or_else(|| panic!("no appointment: {self:?}")))
    }
}

/// A variable that `tests/run` sets.
pub fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set: these tests need the stack that tests/run starts"))
}

impl Stack {
    /// The stack that the environment names.
    pub async fn deployed() -> Self {
        // A sweep that a test waits for may take as long as a function may.
        let patient = TimeoutConfig::builder().operation_timeout(LONGEST_INVOCATION).build();
        let config = aws::user_config().await.into_builder().timeout_config(patient).build();
        let appointments = variable("APPOINTMENTS_TABLE");
        let bodies = Bucket::new(&config, &variable("CALLS_BUCKET")).unwrap();
        let (month, timing) = (chrono::TimeDelta::days(30), environment::timing().unwrap());
        Self {
            appointments: Appointments::new(&config, appointments.clone(), timing),
            counters: CounterStore::new(&config, variable("COUNTERS_TABLE"), appointments.clone()),
            calls: Calls::new(&config, (variable("CALLS_TABLE"), bodies), appointments, month, timing),
            tenants: Tenants::new(&config, variable("TENANTS_TABLE")),
            http: reqwest::Client::new(),
            config,
        }
    }

    /// Signs `body` as the local Retell account does.
    pub fn sign(body: &[u8], at: DateTime<Utc>) -> String {
        signature::sign(&SecretString::from("key_local_frontdesk".to_owned()), body, at)
    }

    /// Sends `body` to the webhook with this signature.
    pub async fn post(&self, body: Vec<u8>, signature: Option<String>) -> WebhookAnswer {
        self.post_to(&variable("WEBHOOK_URL"), body, signature).await
    }

    /// Sends `body` to a URL of the API with this signature.
    pub async fn post_to(&self, url: &str, body: Vec<u8>, signature: Option<String>) -> WebhookAnswer {
        let mut request = self.http.post(url).header("content-type", "application/json").body(body);
        if let Some(signature) = signature {
            request = request.header("x-retell-signature", signature);
        }
        let answer = request.send().await.unwrap();
        WebhookAnswer { status: answer.status().as_u16(), body: answer.json().await.unwrap_or(Value::Null) }
    }

    /// Sends `body` to the webhook as Retell would.
    pub async fn deliver(&self, body: &Value) -> WebhookAnswer {
        let raw = body.to_string().into_bytes();
        let signature = Self::sign(&raw, Utc::now());
        self.post(raw, Some(signature)).await
    }

    /// The appointment as it is stored.
    pub async fn appointment(&self, id: &AppointmentId) -> Appointment {
        self.appointments.load(id).await.unwrap().unwrap_or_else(|| panic!("{id} is not stored")).value
    }

    /// Waits until the appointment is in one of these states.
    pub async fn until(&self, id: &AppointmentId, states: &[StateName]) -> Appointment {
        let is_there = async || {
            let appointment = self.appointment(id).await;
            states.contains(&appointment.state().name()).then_some(appointment)
        };
        match eventually(is_there).await {
            Some(appointment) => appointment,
            None => {
                let logged = self.logged(id).await;
                panic!("never {states:?}: {:#?}, logged:\n{logged}", self.appointment(id).await)
            }
        }
    }

    /// What the functions that move an appointment have logged about this one.
    async fn logged(&self, id: &AppointmentId) -> String {
        let mut logged = Vec::new();
        for function in ["webhook-intake", "voice-tools", "calcom-booking", "staff-assignment"] {
            let lines = self.log_lines(function).await;
            logged.extend(lines.into_iter().filter(|line| line.contains(id.as_str())));
        }
        logged.join("\n")
    }

    /// Waits until the appointment is assigned, in review or cancelled.
    pub async fn until_settled(&self, id: &AppointmentId) -> Appointment {
        self.until(id, &[StateName::Assigned, StateName::NeedsReview, StateName::Cancelled]).await
    }

    /// The body of the message that has an appointment processed, as a function would send it.
    pub async fn message_of(&self, id: &AppointmentId) -> String {
        serde_json::to_string(&AppointmentMessage::process(&self.appointment(id).await)).unwrap()
    }

    /// Invokes the deployed version of a function directly.
    pub async fn invoke(&self, function: &str, event: &Value) -> Value {
        self.invoke_named(&format!("{}-{function}:live", variable("STACK_NAME")), event).await
    }

    /// Deploys a version of the functions that book and assign, for which Cal.com is at `calcom_url`.
    pub async fn deploy(&self, version: &str, calcom_url: &str) {
        for function in ["calcom-booking", "staff-assignment"] {
            self.redeploy(function, &[("FRONTDESK_VERSION", version), ("CALCOM_BASE_URL", calcom_url)]).await;
        }
    }

    /// Deploys a version of a function with other values for some of its variables.
    pub async fn redeploy(&self, function: &str, changes: &[(&str, &str)]) {
        let lambda = aws_sdk_lambda::Client::new(&self.config);
        let name = format!("{}-{function}", variable("STACK_NAME"));
        let before = lambda.get_function_configuration().function_name(&name).send().await.unwrap();
        let mut variables = before.environment.unwrap().variables.unwrap();
        variables.extend(changes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let environment = Environment::builder().set_variables(Some(variables)).build();
        lambda.update_function_configuration().function_name(&name).environment(environment).send().await.unwrap();
        let published = lambda.publish_version().function_name(&name).send().await.unwrap().version.unwrap();
        let alias = lambda.update_alias().function_name(&name).name("live").function_version(published);
        alias.send().await.unwrap();
    }

    /// Invokes the function of this name.
    pub async fn invoke_named(&self, name: &str, event: &Value) -> Value {
        let lambda = aws_sdk_lambda::Client::new(&self.config);
        let sent = lambda.invoke().function_name(name).payload(Blob::new(event.to_string())).send().await.unwrap();
        serde_json::from_slice(sent.payload.unwrap().as_ref()).unwrap()
    }

    /// Every line that a function has logged so far.
    pub async fn log_lines(&self, function: &str) -> Vec<String> {
        let logs = aws_sdk_cloudwatchlogs::Client::new(&self.config);
        let group = format!("/aws/lambda/{}-{function}", variable("STACK_NAME"));
        let mut pages = logs.filter_log_events().log_group_name(group).into_paginator().send();
        let mut lines = Vec::new();
        while let Some(page) = pages.next().await {
            let events = page.unwrap().events.unwrap_or_default();
            lines.extend(events.into_iter().filter_map(|event| event.message));
        }
        lines.iter().flat_map(|message| message.lines().map(str::to_owned)).collect()
    }

    /// Waits until a function has logged a metric of this name and kind.
    pub async fn until_counted(&self, function: &str, metric: &str, kind: Option<&str>) {
        let is_counted = async || {
            let lines = self.log_lines(function).await;
            let is_it = |line: &String| {
                let line: Value = serde_json::from_str(line).unwrap_or_default();
                line[metric] == json!(1) && line["kind"] == json!(kind) && line["_aws"].is_object()
            };
            lines.iter().any(is_it).then_some(())
        };
        assert!(eventually(is_counted).await.is_some(), "{function} never counted {metric} of kind {kind:?}");
    }

    /// How often a function has counted a metric for a call.
    pub async fn times_counted(&self, function: &str, metric: &str, call: &CallId) -> usize {
        let lines = self.log_lines(function).await;
        let is_it = |line: &&String| {
            let line: Value = serde_json::from_str(line).unwrap_or_default();
            line[metric] == json!(1) && line["call_id"] == json!(call)
        };
        lines.iter().filter(is_it).count()
    }

    /// Puts calls into the list of Retell's stand-in, as if they had been made with the local account.
    pub async fn put_to_retell(&self, content: &Value) {
        let mut content = content.clone();
        content["key"] = json!("key_local_frontdesk");
        let url = format!("{}/_stand-in/retell", variable("CALCOM_BASE_URL"));
        self.http.post(url).json(&content).send().await.unwrap().error_for_status().unwrap();
    }

    /// Receives one message of a queue.
    pub async fn receive(&self, queue: &str, wanted: impl Fn(&str) -> bool) -> aws_sdk_sqs::types::Message {
        let sqs = aws_sdk_sqs::Client::new(&self.config);
        let url = variable(queue);
        let found = eventually(async || {
            let received = sqs
                .receive_message()
                .queue_url(&url)
                .max_number_of_messages(10)
                .visibility_timeout(1)
                .message_attribute_names("All")
                .send()
                .await
                .unwrap();
            received.messages.unwrap_or_default().into_iter().find(|message| wanted(message.body().unwrap_or_default()))
        });
        found.await.unwrap_or_else(|| panic!("{queue} never held the message"))
    }

    /// Deploys a copy of a function beside the stack, with another value for one of its variables, and returns its name.
    pub async fn deploy_copy(&self, function: &str, name: &str, value: &str) -> String {
        let lambda = aws_sdk_lambda::Client::new(&self.config);
        let original = format!("{}-{function}", variable("STACK_NAME"));
        let copy = format!("{original}-copy");
        let configured = lambda.get_function_configuration().function_name(&original).send().await.unwrap();
        let mut variables = configured.environment.unwrap().variables.unwrap();
        variables.insert(name.to_owned(), value.to_owned());
        let code = FunctionCode::builder().s3_bucket("frontdesk-code").s3_key(format!("{function}.zip")).build();
        let create = lambda.create_function().function_name(&copy).code(code).role(configured.role.unwrap());
        let create = create.runtime(Runtime::from("provided.al2023")).handler("bootstrap");
        let environment = Environment::builder().set_variables(Some(variables)).build();
        create.environment(environment).set_timeout(configured.timeout).send().await.unwrap();
        copy
    }

    /// Deletes a copy of a function.
    pub async fn delete_copy(&self, name: &str) {
        let lambda = aws_sdk_lambda::Client::new(&self.config);
        lambda.delete_function().function_name(name).send().await.unwrap();
    }

    /// Creates a queue that holds this many messages, and returns its URL.
    pub async fn create_long_queue(&self, name: &str, count: usize) -> String {
        let sqs = aws_sdk_sqs::Client::new(&self.config);
        let queue = sqs.create_queue().queue_name(name).send().await.unwrap().queue_url.unwrap();
        for _ in 0..count {
            sqs.send_message().queue_url(&queue).message_body("waits").send().await.unwrap();
        }
        queue
    }

    /// Sends a request to Cal.com's stand-in as somebody else would.
    pub async fn post_to_calcom(&self, path: &str, body: &Value) {
        let request = self.http.post(format!("{}{path}", variable("CALCOM_BASE_URL"))).json(body);
        let request = request.bearer_auth("cal_local_frontdesk").header("cal-api-version", "2024-08-13");
        request.send().await.unwrap().error_for_status().unwrap();
    }

    /// Puts something to Cal.com's stand-in.
    pub async fn put_to_calcom(&self, path: &str, body: &Value) {
        let request = self.http.put(format!("{}{path}", variable("CALCOM_BASE_URL"))).json(body);
        request.send().await.unwrap().error_for_status().unwrap();
    }

    /// Asks Cal.com's stand-in for something that Cal.com does not have.
    pub async fn get_from_calcom(&self, path: &str) -> Value {
        let request = self.http.get(format!("{}{path}", variable("CALCOM_BASE_URL")));
        request.send().await.unwrap().error_for_status().unwrap().json().await.unwrap()
    }

    /// Talks to Cal.com's stand-in: `/_stand-in/event-types/{id}{rest}`.
    pub async fn stand_in(&self, event_type: u64, rest: &str, body: Option<&Value>) -> Value {
        let url = format!("{}/_stand-in/event-types/{event_type}{rest}", variable("CALCOM_BASE_URL"));
        let request = match body {
            Some(body) if rest.is_empty() => self.http.put(url).json(body),
            Some(body) => self.http.post(url).json(body),
            None => self.http.get(url),
        };
        let answer = request.send().await.unwrap().error_for_status().unwrap();
        answer.json().await.unwrap_or(Value::Null)
    }
}

/// The event by which SQS delivers these bodies to a function for the `delivery`th time.
pub fn sqs_event(bodies: &[&str], delivery: u32) -> Value {
    let attributes = json!({"ApproximateReceiveCount": delivery.to_string()});
    let record = |(nth, body)| json!({"messageId": format!("m{nth}"), "body": body, "attributes": attributes});
    json!({"Records": bodies.iter().enumerate().map(record).collect::<Vec<_>>()})
}

/// Asks again and again until there is an answer, or patience ends.
pub async fn eventually<T, F: Future<Output = Option<T>>>(ask: impl Fn() -> F) -> Option<T> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask().await {
            return Some(answer);
        }
        if tokio::time::Instant::now() > deadline {
            return None;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
