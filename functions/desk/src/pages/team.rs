//! Who is who at Cal.com: unknown hosts first.

use std::collections::BTreeMap;

use maud::html;
use operations::hosts::{KnownHost, known_hosts};
use scheduling::{
    appointment::{Appointment, SharedCause},
    assignment::MappingSource,
    ids::HostId,
};
use store::StoreError;

use crate::{
    http::Reply,
    layout::{Menu, Note, csrf, icon, page, tag},
    pages::to_do::staff_chips,
    view::TenantView,
};

/// The page.
pub async fn show(view: &TenantView<'_>, note: Option<Note>) -> Result<Reply, StoreError> {
    let (desk, tenant) = (view.desk, &view.tenant);
    let (record, catalog, ids) = tokio::try_join!(
        desk.operations.tenants.record(&tenant.id),
        desk.catalogs.of(&tenant.calcom.account),
        desk.operations.appointments.in_review(&tenant.id)
    )?;
    let Some(record) = record else { return Ok(Reply::SeeOther("/".to_owned())) };
    let mut waiting: BTreeMap<HostId, Vec<Appointment>> = BTreeMap::new();
    for stored in desk.operations.appointments.load_all(&ids).await? {
        if let Some(SharedCause::Host(host)) = stored.value.shared_cause() {
            waiting.entry(host).or_default().push(stored.value);
        }
    }
    let mut hosts = known_hosts(&record, catalog.as_deref().map(|stored| &stored.catalog));
    for host in waiting.keys() {
        if !hosts.iter().any(|known| known.id == *host) {
            hosts.push(KnownHost { id: *host, seen: None, mapping: None });
        }
    }
    // A host with a staff member's email is known without a mapping.
    let by_email = |host: &KnownHost| {
        let seen = host.seen.as_ref()?;
        tenant.staff.iter().find(|member| seen.has_email_of(member))
    };
    let (known, unknown): (Vec<&KnownHost>, Vec<&KnownHost>) = hosts
        .iter()
        .partition(|host| !waiting.contains_key(&host.id) && (host.mapping.is_some() || by_email(host).is_some()));
    let address = |host: &KnownHost| {
        let seen = host.seen.as_ref()?;
        seen.display_email.as_ref().or(seen.email.as_ref()).map(|email| email.reveal().clone())
    };
    let how = |host: &KnownHost| match host.mapping.as_ref().map(|mapping| mapping.source) {
        Some(MappingSource::Operator) => view.t("fest eingetragen", "in the tenant file"),
        Some(MappingSource::Desk) => view.t("hier zugeordnet", "mapped here"),
        Some(MappingSource::EventTypeOwner) => view.t("eigene Terminart", "by event types"),
        Some(MappingSource::HostEmail) | None => view.t("gleiche E-Mail", "the same email"),
    };
    let content = html! {
        div.head { h1 { (view.t("Team", "Team")) } p.soft { (view.t("Wer bei Cal.com wer ist. Daran sieht Frontdesk, wer einen Termin macht.", "Who is who at Cal.com. By this Frontdesk sees who does an appointment.")) } }
        @if let Some(note) = &note { (note.show()) }
        @if !unknown.is_empty() {
            h2.group { (view.t("Noch unbekannt", "Not known yet")) " " small { (unknown.len()) } }
            @for host in &unknown {
                @let of = waiting.get(&host.id).map(Vec::as_slice).unwrap_or_default();
                article.card.do aria-labelledby={ "h-" (host.id) } {
                    div.body {
                        p.row.apart { (tag("warn", "team", &view.count(of.len(), ("Termin wartet", "appointment waits"), ("Termine warten", "appointments wait")))) }
                        div { h3 id={ "h-" (host.id) } { (view.t("Person", "Person")) " " (host.id) } p.soft { (address(host).unwrap_or_default()) } }
                        @if !of.is_empty() {
                            dl.facts { div { dt { (view.t("Termine", "Which")) } dd { @for (nth, it) in of.iter().enumerate() { @if nth > 0 { br; } (it.start().map(|at| view.moment(at)).unwrap_or_default()) " " (view.name(&it.request.customer)) } } } }
                        }
                    }
                    form.settle method="post" action=(view.path(&format!("hosts/{}", host.id))) {
                        (csrf(view))
                        input type="hidden" name="from" value="team";
                        fieldset { legend { (view.t("Wer ist das?", "Who is it?")) } (staff_chips(view, None)) }
                        div.acts { button.btn.go { (view.t("Zuordnen", "Assign")) } }
                    }
                }
            }
        }
        h2.group { (view.t("Zugeordnet", "Known")) " " small { (known.len()) } }
        ul.card.list {
            @for host in &known {
                @let staff = host.mapping.as_ref().map(|mapping| view.staff_name(&mapping.staff)).or_else(|| by_email(host).map(|member| member.name.reveal().clone()));
                li { span { b { (staff.unwrap_or_default()) } small { "Cal.com " (host.id) @if let Some(address) = address(host) { ", " (address) } } } span.small.soft { (how(host)) } }
            }
            @if known.is_empty() { li { span { (view.t("Noch niemand.", "Nobody yet.")) } } }
        }
        h2.group { (view.t("Wer sich anmelden darf", "Who may sign in")) }
        p { a.btn href=(view.path("people")) { (icon("user")) (view.t("Zugänge verwalten", "Manage access")) } }
    };
    Ok(Reply::Page(200, page(view, Menu::Team, "Team", ids.len(), &content)))
}
