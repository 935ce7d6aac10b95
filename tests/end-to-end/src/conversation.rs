//! A caller on the line: uses the tools as Retell does, and hangs up, after which the analysis comes.

use chrono::Utc;
use scheduling::ids::CallId;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{Call, MARKED_PHONE, Salon, Stack, stack::WebhookAnswer, variable};

/// A call that is going on.
pub struct Conversation<'s> {
    salon: &'s Salon,
    /// The call's id.
    pub id: CallId,
    /// The caller's number.
    pub phone: String,
}

impl Salon {
    /// A customer of its own calls.
    pub fn called(&self) -> Conversation<'_> {
        self.called_from(&format!("{MARKED_PHONE}{:02}", Uuid::new_v4().as_u128() % 100))
    }

    /// Somebody calls from this number.
    pub fn called_from(&self, phone: &str) -> Conversation<'_> {
        let id = CallId::new(format!("call_{}", Uuid::new_v4().simple()));
        Conversation { salon: self, id, phone: phone.to_owned() }
    }

    /// What the agent gets before it says hello to a caller of this number.
    pub async fn greet(&self, phone: &str) -> Value {
        let inbound = json!({"agent_id": format!("agent_{}", self.tenant), "from_number": phone, "to_number": "+491"});
        let body = json!({"event": "call_inbound", "call_inbound": inbound});
        let answer = self.stack.send_signed(&variable("INBOUND_URL"), &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body["call_inbound"]["dynamic_variables"].clone()
    }
}

impl Stack {
    /// Sends a body to a URL as Retell would.
    pub async fn send_signed(&self, url: &str, body: &Value) -> WebhookAnswer {
        let raw = body.to_string().into_bytes();
        let signature = Self::sign(&raw, Utc::now());
        self.post_to(url, raw, Some(signature)).await
    }
}

impl Conversation<'_> {
    /// Uses a tool, and returns the answer.
    pub async fn tool(&self, name: &str, args: &Value) -> Value {
        let body = json!({"name": name, "args": args, "call": self.retell_call()});
        let answer = self.salon.stack.send_signed(&format!("{}/{name}", variable("TOOLS_URL")), &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    }

    /// Uses a tool as Retell does, once more if there is no answer, and returns the answer, if there is one.
    pub async fn try_tool(&self, name: &str, args: &Value) -> Value {
        let body = json!({"name": name, "args": args, "call": self.retell_call()});
        for _ in 0..2 {
            let answer = self.salon.stack.send_signed(&format!("{}/{name}", variable("TOOLS_URL")), &body).await;
            if answer.status == 200 {
                return answer.body;
            }
        }
        Value::Null
    }

    /// The webhook with the analysis of the call.
    pub fn analyzed(&self, fields: Value) -> Call {
        let mut call = self.retell_call();
        call["call_status"] = json!("ended");
        call["call_analysis"] = json!({"call_summary": "a call", "custom_analysis_data": fields});
        Call { id: self.id.clone(), body: json!({"event": "call_analyzed", "call": call}) }
    }

    /// Hangs up: the analysis arrives, and requests this much more. Returns what the webhook answered.
    pub async fn hang_up(&self, fields: Value) -> WebhookAnswer {
        self.salon.stack.deliver(&self.analyzed(fields).body).await
    }

    fn retell_call(&self) -> Value {
        json!({
            "call_type": "phone_call", "call_id": self.id, "agent_id": format!("agent_{}", self.salon.tenant),
            "direction": "inbound", "call_status": "ongoing", "from_number": self.phone, "to_number": "+4930901820",
            "start_timestamp": Utc::now().timestamp_millis(),
        })
    }
}
