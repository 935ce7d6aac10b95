//! Who may sign in, to one salon or as the agency to all: invite and withdraw.

use maud::{Markup, html};
use operations::people::{Access, Person};
use platform::signed::ServiceError;
use scheduling::contact;
use wording::{Language, invitation};

use crate::{
    error::PageError,
    http::{Reply, Request},
    layout::{Menu, Note, back, csrf, page, system_page},
    pages::to_do::count_open,
    view::{TenantView, View, with},
};

/// Whose people they are.
pub enum Circle<'a> {
    /// The agency's, who see every salon.
    Agency(&'a View<'a>),
    /// One salon's.
    Tenant(&'a TenantView<'a>),
}

impl Circle<'_> {
    fn view(&self) -> &View<'_> {
        match self {
            Self::Agency(view) => view,
            Self::Tenant(view) => view,
        }
    }

    fn access(&self) -> Access {
        match self {
            Self::Agency(_) => Access::Agency,
            Self::Tenant(view) => Access::Tenant(view.permitted.tenant().clone()),
        }
    }

    fn path(&self, rest: &str) -> String {
        match self {
            Self::Agency(_) => format!("/system/people{rest}"),
            Self::Tenant(view) => view.path(&format!("people{rest}")),
        }
    }

    /// The page, as a request asks for it.
    pub async fn page(&self, request: &Request) -> Result<Reply, PageError> {
        let view = self.view();
        let done = match request.query.get("done") {
            Some("invited") => view.t("Eingeladen.", "Invited."),
            Some("withdrawn") => {
                view.t("Zugang entzogen, überall abgemeldet.", "Access withdrawn, signed out everywhere.")
            }
            _ => return self.show(None).await,
        };
        self.show(Some(Note::done(done))).await
    }

    async fn show(&self, note: Option<Note>) -> Result<Reply, PageError> {
        let view = self.view();
        let people = view.desk.people.with(&self.access()).await;
        Ok(match self {
            Self::Agency(view) => {
                let title = view.t("Wer alle Salons sieht", "Who sees all salons");
                let content = html! {
                    (back("/system", view.t("Alle Salons", "All salons")))
                    (self.content(title, note, &people))
                };
                Reply::Page(200, system_page(view, title, &content))
            }
            Self::Tenant(view) => {
                let title = view.t("Wer sich anmelden darf", "Who may sign in");
                let content = html! { (back(&view.path("team"), "Team")) (self.content(title, note, &people)) };
                Reply::Page(200, page(view, Menu::Team, title, count_open(view).await?, &content))
            }
        })
    }

    fn content(&self, title: &str, note: Option<Note>, people: &Result<Vec<Person>, ServiceError>) -> Markup {
        let view = self.view();
        html! {
            div.head { h1 { (title) } }
            @if let Some(note) = &note { (note.show()) }
            @match people {
                Err(error) => (Note::failed(view.t("Die Zugänge können gerade nicht gelesen werden.", "The people can't be read now.")).with(html! { (error) }).show()),
                Ok(people) => {
                    ul.card.list {
                        @for person in people { (self.entry(person)) }
                        @if people.is_empty() { li { span { (view.t("Noch niemand. Die Agentur sieht alle Salons.", "Nobody yet. The agency sees all salons.")) } } }
                    }
                }
            }
            h2.group { (view.t("Jemanden einladen", "Invite somebody")) }
            form.card method="post" action=(self.path("")) { div.pad {
                (csrf(view))
                div.field { label for="name" { (view.t("Name, wie er im Verlauf steht", "Name, as the history shows it")) } input #name name="name" required maxlength="60" autocomplete="off"; }
                div.field { label for="email" { (view.t("E-Mail", "Email")) } input #email type="email" name="email" required maxlength="200" autocomplete="off"; p.small.soft { (view.t("Dorthin geht die Einladung, und bei jeder Anmeldung ein Code.", "The invitation goes there, and a code at each sign-in.")) } }
                div.acts { button.btn.go { (view.t("Einladen", "Invite")) } }
            } }
        }
    }

    fn entry(&self, person: &Person) -> Markup {
        let view = self.view();
        html! {
            li {
                span { b { (person.name.reveal()) } small { (person.email.reveal()) } }
                @if person.id != view.who.key.person {
                    form method="post" action=(self.path("/withdraw")) {
                        (csrf(view))
                        input type="hidden" name="person" value=(person.id);
                        button.btn.bad { (view.t("Zugang entziehen", "Withdraw")) span.hide { ": " (person.name.reveal()) } }
                    }
                } @else { span.small.soft { (view.t("Sie", "You")) } }
            }
        }
    }

    /// Invites somebody, by mail if the stack sends mail.
    pub async fn invite(&self, request: &Request) -> Result<Reply, PageError> {
        let (view, desk) = (self.view(), self.view().desk);
        let (name, email) = (request.form.get("name"), request.form.get("email"));
        let (Some(name), Some(email)) = (name, email.and_then(contact::email)) else {
            let note = Note::failed(view.t("Name oder E-Mail fehlt.", "The name or the email is missing."));
            return self.show(Some(note)).await;
        };
        let access = self.access();
        desk.people.invite(&access, name, email.reveal()).await?;
        tracing::info!(group = access.group(), by = view.who.key.person, "person invited to the desk");
        let Some(mailer) = &desk.mailer else {
            let link = html! { (view.t("Es geht keine Mail heraus: geben Sie diese Adresse weiter: ", "No mail is sent: pass on this address: ")) (desk.pool.desk_url) };
            return self.show(Some(Note::done(view.t("Eingeladen.", "Invited.")).with(link))).await;
        };
        let (language, salon) = match self {
            Self::Agency(view) => (view.language, None),
            Self::Tenant(view) => (Language::of(&view.tenant), Some(view.tenant.name.as_str())),
        };
        let mail = invitation(language, salon, name, &desk.pool.desk_url);
        if let Err(error) = mailer.send(email.reveal(), &mail.subject, mail.body.reveal()).await {
            tracing::error!(%error, "failed to send an invitation");
            let title = view.t("Eingeladen, aber die Mail ging nicht heraus.", "Invited, but the mail was not sent.");
            return self.show(Some(Note::failed(title))).await;
        }
        Ok(Reply::SeeOther(with(self.path(""), "done", "invited")))
    }

    /// Withdraws somebody's access.
    pub async fn withdraw(&self, request: &Request) -> Result<Reply, PageError> {
        let person = request.form.get("person").ok_or(PageError::NotFound)?;
        let access = self.access();
        let view = self.view();
        view.desk.people.withdraw(&access, person).await?;
        tracing::info!(group = access.group(), person, by = view.who.key.person, "access to the desk withdrawn");
        Ok(Reply::SeeOther(with(self.path(""), "done", "withdrawn")))
    }
}
