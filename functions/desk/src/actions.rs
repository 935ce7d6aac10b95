//! What a person does with an appointment: read from the form, made by `operations`, and told on the next page.

use maud::html;
use operations::{
    OperationError, Refusal,
    back_office::{Request as OfficeRequest, Response as OfficeResponse},
    settling,
};
use scheduling::{
    appointment::{Actor, Appointment, CancelReason, Change, Seen, Settlement},
    ids::{AppointmentId, ServiceId, StaffId},
    tenant::NoEventType,
};
use store::{StoreError, Version, Versioned};

use crate::{
    error::PageError,
    http::{Reply, Request},
    layout::Note,
    pages::{appointment, ask, to_do},
    route::Deed,
    view::{TenantView, with},
};

/// What became of an action.
enum Done {
    /// It was done. This page tells more: its path, and the word for it.
    Yes(String, &'static str),
    /// It is not possible, for this reason.
    No(String),
    /// Somebody else was first.
    Changed,
}

/// Does something with an appointment of the tenant, if it is still what the person saw.
async fn as_seen<T>(
    view: &TenantView<'_>,
    id: &AppointmentId,
    seen: Option<&str>,
    deed: impl AsyncFn(Versioned<Appointment>) -> Result<T, OperationError>,
) -> Result<T, OperationError> {
    let seen = seen.and_then(Seen::parse);
    view.desk.operations.as_seen(id, view.permitted.tenant(), seen, deed).await
}

/// Does something with an appointment, as the person saw it.
pub async fn act(view: &TenantView<'_>, id: &AppointmentId, deed: Deed, request: &Request) -> Result<Reply, PageError> {
    let by = view.desk.operations.actor(Some(view.who.session.name.reveal()));
    let deed_of = async |stored| done(view, stored, deed, request, by).await;
    let done = match as_seen(view, id, request.form.get("seen"), deed_of).await {
        Err(OperationError::Changed) => Done::Changed,
        Err(OperationError::Refused(refusal)) => Done::No(words(view, &refusal)),
        Err(OperationError::Calcom(why) | OperationError::Incomplete(why)) => Done::No(why),
        Err(error) => return Err(error.into()),
        Ok(done) => done,
    };
    match done {
        Done::Yes(path, word) => Ok(Reply::SeeOther(with(path, "done", word))),
        Done::No(why) => {
            let stored = view.desk.operations.appointment(id, Some(view.permitted.tenant())).await?;
            let note = Note::failed(view.t("Das ist nicht geschehen.", "This was not done.")).with(html! { (why) });
            match deed {
                Deed::Book | Deed::Move => Ok(ask::time(view, stored, request, Some(note)).await?),
                _ => Ok(appointment::show(view, stored, Some(note)).await?),
            }
        }
        Done::Changed => changed(view, id).await,
    }
}

/// What somebody else did meanwhile, and that this was not done.
async fn changed(view: &TenantView<'_>, id: &AppointmentId) -> Result<Reply, PageError> {
    let now = view.desk.operations.appointment(id, Some(view.permitted.tenant())).await?;
    let last = now.value.last_news();
    let who = last.and_then(|last| last.person.as_ref()).map(|person| person.reveal().clone());
    let title = match (who, last) {
        (Some(who), Some(last)) => {
            format!("{} {who}, {}.", view.t("Inzwischen geändert von", "Changed meanwhile by"), view.clock(last.at))
        }
        _ => view.t("Inzwischen hat sich das geändert.", "This has changed meanwhile.").to_owned(),
    };
    let staff = view.staff_of(&now.value);
    let happened = last.map(|last| view.language.happened(last, staff.as_deref())).unwrap_or_default();
    let note = Note::failed(title).with(html! {
        (happened) " " (view.t("Ihre Eingabe wurde nicht übernommen.", "What you entered was not taken over."))
    });
    Ok(appointment::show(view, now, Some(note)).await?)
}

async fn done(
    view: &TenantView<'_>,
    stored: Versioned<Appointment>,
    deed: Deed,
    request: &Request,
    by: Actor<'_>,
) -> Result<Done, OperationError> {
    let operations = &view.desk.operations;
    let (form, note) = (&request.form, request.form.get("note"));
    let one = view.alone(&stored.value.id);
    let page = view.path_of(&stored.value, "");
    let list = view.list();
    let Versioned { value: mut appointment, version } = stored.clone();
    Ok(match deed {
        Deed::Book => {
            if let (Some(word), Some(service)) = (form.get("learn"), form.get("service")) {
                learn(view, service, word).await?;
            }
            book(view, appointment, version, request, by).await?;
            Done::Yes(one, "booking")
        }
        Deed::Retry => {
            operations.retry(stored, by).await?;
            Done::Yes(one, "booking")
        }
        Deed::Assign => {
            let Some(staff) = form.get("staff").map(StaffId::new) else {
                return Ok(Done::No(view.t("Bitte wählen Sie jemanden.", "Please choose somebody.").to_owned()));
            };
            let person = view.who.session.name.clone();
            let request = OfficeRequest::Assign { appointment: appointment.id, version, staff, person };
            match view.desk.ask_office(&request).await {
                Ok(OfficeResponse::Done) => Done::Yes(page, "assigned"),
                // It may have been sent to Cal.com, where it must not be sent again.
                Ok(OfficeResponse::Changed) => Done::Changed,
                Ok(OfficeResponse::Refused(why)) => Done::No(why),
                _ => Done::No(view.t("Bitte in einer Minute noch einmal.", "Please try again in a minute.").to_owned()),
            }
        }
        Deed::Move => {
            let Some(to) = ask::read_moment(form.get("at")).filter(|to| *to > by.now) else {
                return Ok(Done::No(view.t("Bitte wählen Sie eine Zeit.", "Please choose a time.").to_owned()));
            };
            operations.change(stored, Change::Move { to }, note, by).await?;
            settle_wish(view, request, by).await?;
            Done::Yes(one, "moving")
        }
        Deed::Cancel => {
            operations.change(stored, Change::Cancel, note, by).await?;
            settle_wish(view, request, by).await?;
            Done::Yes(one, "cancelling")
        }
        Deed::CalledBack => {
            appointment.call_back(by)?;
            settling::plan_close(&mut appointment, CancelReason::SettledOtherwise, by)?;
            operations.save(&appointment, version).await?;
            Done::Yes(list, "called-back")
        }
        Deed::NotReached => {
            appointment.note_not_reached(by)?;
            operations.save(&appointment, version).await?;
            Done::Yes(list, "not-reached")
        }
        Deed::NotBooked => {
            appointment.mark_not_booked(by)?;
            operations.save(&appointment, version).await?;
            Done::Yes(one, "not-booked")
        }
        Deed::Close => {
            let reasons = [
                CancelReason::SettledOtherwise,
                CancelReason::NotWanted,
                CancelReason::NotReached,
                CancelReason::Mistaken,
            ];
            let Some(reason) = reasons.into_iter().find(|reason| form.get("reason") == Some(reason.as_str())) else {
                return Ok(Done::No(view.t("Bitte wählen Sie einen Grund.", "Please choose a reason.").to_owned()));
            };
            if appointment.is_live() && form.get("told").is_none() {
                let why = view.t(
                    "Der Kunde rechnet mit dem Termin. Sagen Sie zuerst Bescheid.",
                    "The customer counts on it. Tell them first.",
                );
                return Ok(Done::No(why.to_owned()));
            }
            settling::plan_close(&mut appointment, reason, by)?;
            note.into_iter().for_each(|note| appointment.annotate(note));
            operations.save(&appointment, version).await?;
            Done::Yes(list, "closed")
        }
        Deed::Note => {
            let Some(note) = note else {
                return Ok(Done::No(view.t("Die Notiz ist leer.", "The note is empty.").to_owned()));
            };
            appointment.add_note(note, by);
            operations.save(&appointment, version).await?;
            Done::Yes(page, "noted")
        }
    })
}

async fn book(
    view: &TenantView<'_>,
    mut appointment: Appointment,
    version: Version,
    request: &Request,
    by: Actor<'_>,
) -> Result<(), OperationError> {
    let form = &request.form;
    let known = |id: &&str| view.tenant.services.iter().any(|service| service.id.as_str() == *id);
    let settlement = Settlement {
        start: ask::read_moment(form.get("at")),
        service: form.get("service").filter(known).map(ServiceId::new),
        staff: form.get("staff").map(StaffId::new).filter(|id| view.tenant.staff_member(id).is_some()),
    };
    settling::plan_booking(&mut appointment, &view.tenant, settlement, by)?;
    view.desk.operations.book(&appointment, version, &view.tenant).await
}

/// Has the caller's word understood as this service from now on.
async fn learn(view: &TenantView<'_>, service: &str, word: &str) -> Result<(), OperationError> {
    let tenants = &view.desk.operations.tenants;
    if let Some(record) = tenants.record(&view.tenant.id).await? {
        view.desk.operations.learn_service(&record, service, word).await?;
    }
    Ok(())
}

/// Closes the wish that a change of another appointment settles.
async fn settle_wish(view: &TenantView<'_>, request: &Request, by: Actor<'_>) -> Result<(), OperationError> {
    let Some(wish) = request.form.get("wish").map(AppointmentId::new) else { return Ok(()) };
    let operations = &view.desk.operations;
    let Versioned { value: mut appointment, version } =
        operations.appointment(&wish, Some(view.permitted.tenant())).await?;
    if settling::plan_close(&mut appointment, CancelReason::SettledOtherwise, by).is_ok() {
        match operations.save(&appointment, version).await {
            // Somebody else settled it.
            Ok(()) | Err(OperationError::Changed) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Retries several at once. Those that changed meanwhile are left as they are.
pub async fn retry_all(view: &TenantView<'_>, request: &Request) -> Result<Reply, PageError> {
    let operations = &view.desk.operations;
    let by = operations.actor(Some(view.who.session.name.reveal()));
    for (id, seen) in request.form.all("id").zip(request.form.all("seen")) {
        let retry = async |stored| operations.retry(stored, by).await;
        match as_seen(view, &AppointmentId::new(id), Some(seen), retry).await {
            Ok(_) | Err(OperationError::Changed | OperationError::Refused(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Reply::SeeOther(with(view.list(), "done", "retried")))
}

/// Closes past appointments that were selected.
pub async fn clean_up(view: &TenantView<'_>, request: &Request) -> Result<Reply, PageError> {
    let operations = &view.desk.operations;
    let by = operations.actor(Some(view.who.session.name.reveal()));
    for chosen in request.form.all("v") {
        let Some((id, seen)) = chosen.split_once(' ') else { continue };
        let clean_up = async |Versioned { value: mut appointment, version }: Versioned<Appointment>| {
            settling::plan_clean_up(&mut appointment, true, by)?;
            operations.save(&appointment, version).await
        };
        match as_seen(view, &AppointmentId::new(id), Some(seen), clean_up).await {
            Ok(()) | Err(OperationError::Changed | OperationError::Refused(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let until = view.day_asked(request.form.get("until"));
    Ok(Reply::SeeOther(format!("{}?done=cleaned-up&until={until}", view.path("search"))))
}

/// Why something is not possible, in the words of a salon.
pub fn words(view: &TenantView<'_>, refusal: &Refusal) -> String {
    let text = match refusal {
        Refusal::MaybeBooked => view.t(
            "Vielleicht steht der Termin schon bei Cal.com. Lassen Sie zuerst nachsehen.",
            "It may be booked at Cal.com already. Have that looked up first.",
        ),
        Refusal::Booked => view.t("Der Termin steht schon.", "It is booked already."),
        Refusal::NoStart => view.t("Es fehlt eine Zeit, die noch kommt.", "A time that is still to come is missing."),
        Refusal::OtherState(_) => view.t("Der Termin hat sich inzwischen geändert.", "It has changed meanwhile."),
        Refusal::NoEventType(NoEventType::StaffHasNone { .. }) => {
            view.t("Diese Person bietet die Leistung nicht an.", "This person does not offer the service.")
        }
        Refusal::NoEventType(_) => view.t("Bitte wählen Sie eine Leistung.", "Please choose a service."),
        Refusal::HasItAlready(_) => {
            view.t("Der Kunde hat genau diesen Termin schon.", "The customer has exactly this appointment already.")
        }
        Refusal::MappedInFile => view.t(
            "In der Datei des Salons steht, wer das ist. Die Agentur kann das ändern.",
            "The salon's file says who this is. The agency can change that.",
        ),
    };
    text.to_owned()
}

/// What the page after an action says.
pub async fn note(view: &TenantView<'_>, request: &Request) -> Result<Option<Note>, StoreError> {
    let words = match request.query.get("done") {
        Some("booking") => view.t("Wird eingetragen.", "Being booked."),
        Some("assigned") => view.t("Zugeordnet.", "Assigned."),
        Some("moving") => view.t("Wird verschoben.", "Being moved."),
        Some("cancelling") => view.t("Wird abgesagt.", "Being cancelled."),
        Some("called-back") => view.t("Erledigt: zurückgerufen.", "Settled: called back."),
        Some("not-reached") => view.t(
            "Nicht erreicht. Bleibt hier stehen und kommt in einer halben Stunde wieder nach oben.",
            "Not reached. It stays here, and comes back to the top in half an hour.",
        ),
        Some("not-booked") => view.t("Vermerkt: bei Cal.com steht nichts.", "Noted: Cal.com holds nothing."),
        Some("closed") => view.t("Geschlossen.", "Closed."),
        Some("noted") => view.t("Notiz gespeichert.", "The note is saved."),
        Some("retried") => view.t("Werden neu eingetragen.", "Being booked again."),
        Some("cleaned-up") => view.t("Abgeschlossen.", "Closed."),
        Some("mapped") => {
            view.t("Zugeordnet. Was darauf wartete, geht weiter.", "Assigned. What waited for it goes on.")
        }
        _ => return Ok(None),
    };
    Ok(Some(Note::done(words)))
}

/// A to-do alone, or what became of it.
pub async fn show_to_do(view: &TenantView<'_>, id: &AppointmentId, request: &Request) -> Result<Reply, PageError> {
    let stored = view.desk.operations.appointment(id, Some(view.permitted.tenant())).await?;
    // Once it is done, what was just being done is no news.
    let is_running = stored.value.is_in_progress() || stored.value.change().is_some();
    let note = note(view, request).await?.filter(|_| is_running || stored.value.review_reason().is_some());
    Ok(to_do::show_one(view, stored, note).await?)
}
