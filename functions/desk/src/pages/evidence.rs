//! The evidence: the call as it was, and what Cal.com answered, whole.

use maud::{Markup, html};
use retell::event::Summary;
use scheduling::appointment::Appointment;
use store::StoreError;

use crate::{layout::icon, view::TenantView};

/// The call and Cal.com's answers.
pub async fn load(view: &TenantView<'_>, appointment: &Appointment) -> Result<Markup, StoreError> {
    let calls = &view.desk.customers.calls;
    let whole = appointment.call.whole();
    let (events, exchanges) = tokio::try_join!(
        calls.events(&appointment.tenant, &whole),
        view.desk.operations.appointments.exchanges(&appointment.id)
    )?;
    let call = events.iter().rev().find_map(|(_, body)| Summary::of(body));
    let name = view.name(&appointment.request.customer);
    Ok(html! {
        @match &call {
            None => p.soft { (view.t("Der Anruf ist nicht mehr gespeichert.", "The call is no longer stored.")) },
            Some(call) => {
                p.small.soft {
                    @if let Some(began) = call.began_at { (view.moment(began)) }
                    @if let Some(duration) = call.duration { ", " (duration.num_minutes()) ":" (format!("{:02}", duration.num_seconds() % 60)) " " (view.t("Minuten", "minutes")) }
                }
                @if let Some(summary) = &call.summary { p { (summary.reveal()) } }
                @if let Some(url) = call.recording_url.as_ref().filter(|url| url.reveal().starts_with("https://")) {
                    p { a.btn href=(url.reveal()) rel="noreferrer" target="_blank" { (icon("play")) (view.t("Aufnahme anhören", "Listen to the recording")) } }
                }
                @if !call.turns.is_empty() {
                    div.talk {
                        @for turn in &call.turns {
                            p { b { @if turn.is_agent { (view.t("Assistent", "Agent")) } @else { (name) } } (turn.words.reveal()) }
                        }
                    }
                }
            }
        }
        @if !exchanges.is_empty() {
            p.small.soft { (view.t("Antworten von Cal.com", "Cal.com's answers")) }
            @for stored in &exchanges {
                pre { (stored.exchange.request) " → " (stored.exchange.status.map_or_else(|| view.t("keine Antwort", "no answer").to_owned(), |status| status.to_string())) "\n" (String::from_utf8_lossy(&stored.exchange.body)) }
            }
        }
    })
}
