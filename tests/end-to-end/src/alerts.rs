//! A subscriber to the stack's alerts.

use aws_sdk_sns::Client as Sns;
use aws_sdk_sqs::{Client as Sqs, types::QueueAttributeName};
use serde_json::Value;
use uuid::Uuid;

use crate::{Stack, variable};

/// A queue that is subscribed to the topic of alerts.
pub struct Alerts {
    sqs: Sqs,
    queue: String,
}

/// What a subscriber received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// The subject.
    pub subject: String,
    /// The text.
    pub text: String,
}

impl Alerts {
    /// Subscribes a new queue.
    pub async fn subscribe(stack: &Stack) -> Self {
        let (sns, sqs) = (Sns::new(&stack.config), Sqs::new(&stack.config));
        let made = sqs.create_queue().queue_name(format!("alerts-{}", Uuid::new_v4())).send().await.unwrap();
        let queue = made.queue_url.unwrap();
        let asked = sqs.get_queue_attributes().queue_url(&queue).attribute_names(QueueAttributeName::QueueArn);
        let arn = asked.send().await.unwrap().attributes.unwrap().remove(&QueueAttributeName::QueueArn).unwrap();
        sns.subscribe().topic_arn(variable("ALERTS_TOPIC")).protocol("sqs").endpoint(arn).send().await.unwrap();
        Self { sqs, queue }
    }

    /// All that came since it was last asked, of which the subject holds `about`.
    pub async fn received(&self, about: &str) -> Vec<Notification> {
        let mut received = Vec::new();
        loop {
            let batch = self.sqs.receive_message().queue_url(&self.queue).max_number_of_messages(10).send().await;
            let messages = batch.unwrap().messages.unwrap_or_default();
            if messages.is_empty() {
                return received;
            }
            for message in messages {
                let body: Value = serde_json::from_str(message.body().unwrap()).unwrap();
                let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
                received.push(Notification { subject: text("Subject"), text: text("Message") });
                let handle = message.receipt_handle.unwrap();
                self.sqs.delete_message().queue_url(&self.queue).receipt_handle(handle).send().await.unwrap();
            }
            received.retain(|one| one.subject.contains(about));
        }
    }
}
