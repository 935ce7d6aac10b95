//! The caller's coming appointments, as Cal.com shows them at this moment.

use booking::Standing;
use futures_util::future::try_join_all;
use scheduling::{appointment::Appointment, booking::BookingStatus};

use super::Interrupted;
use crate::{
    answer::{Answer, Status},
    conversation::Conversation,
};

/// Answers with the appointments that stand. Our record follows what Cal.com says of each.
pub async fn find(conversation: &Conversation<'_>) -> Result<Answer, Interrupted> {
    let coming = conversation.appointments().await?;
    let job = conversation.job();
    let standing = try_join_all(coming.into_iter().map(|stored| conversation.bookings.check(stored, &job))).await?;
    let (mut confirmed, mut open, mut unverified, mut data) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for found in &standing {
        let appointment = found.appointment();
        if !appointment.is_coming(conversation.now) {
            continue;
        }
        let (sentence, mut described) = conversation.described(appointment).await?;
        let (of, word) = match found {
            Standing::Changing(_) => (&mut open, "being_changed"),
            _ if !is_confirmed(appointment) => (&mut open, "not_confirmed"),
            Standing::Known(_) => (&mut confirmed, "confirmed"),
            Standing::Unverified(_) => (&mut unverified, "unverified"),
        };
        of.push(sentence);
        described["state"] = word.into();
        data.push(described);
    }
    let say = conversation.voice().coming(&confirmed, &open, &unverified);
    let status = if data.is_empty() { Status::None } else { Status::Listed };
    Ok(Answer::new(status, say).with("appointments", data))
}

/// Whether it is booked, and its host has nothing left to confirm.
fn is_confirmed(appointment: &Appointment) -> bool {
    appointment.is_booked() && appointment.booking().is_some_and(|booking| booking.status != BookingStatus::Pending)
}
