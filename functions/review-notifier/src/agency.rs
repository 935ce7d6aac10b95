//! The notice to the agency on the alert topic, where nothing personal may go.

use scheduling::{appointment::Notice, ids::TenantId, tenant::Tenant};

use crate::pending::PendingNotice;

/// The subject.
pub fn subject(tenant: &TenantId, entries: &[PendingNotice]) -> String {
    format!("Frontdesk: {} appointments of {tenant} need a person", entries.len())
}

/// The text: ids and reasons.
pub fn text(id: &TenantId, tenant: Option<&Tenant>, entries: &[PendingNotice], desk: Option<&str>) -> String {
    let why = match tenant {
        None => "The tenant was removed, and these appointments are still open.",
        Some(tenant) if tenant.review_email.is_none() => "The tenant has no review_email in its file.",
        Some(_) => "No mail could be sent to the tenant's review_email, or the stack has no MailSender.",
    };
    let mut text = format!("{why}\n\n");
    for PendingNotice { notice, appointment, .. } in entries {
        let reason = match (notice, appointment.review_reason()) {
            (Notice::NeedsReview, Some(reason)) => reason.to_string(),
            (Notice::Missed, _) => "passed unbooked".to_owned(),
            _ => "starts soon and is not booked".to_owned(),
        };
        text += &format!("{}  {reason}\n", appointment.id);
    }
    let at_desk = desk.map(|desk| format!("At the desk: {desk}/s/{id}/todo\n")).unwrap_or_default();
    text + &format!("\nList them: frontdesk appointment review {id}\n{at_desk}")
}
