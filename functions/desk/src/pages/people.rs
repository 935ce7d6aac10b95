//! Who may sign in: invite and withdraw.

use maud::html;
use operations::people::{Access, Person};
use platform::signed::ServiceError;
use store::StoreError;

use crate::{
    http::Reply,
    layout::{Menu, Note, back, csrf, page},
    pages::to_do::count_open,
    view::TenantView,
};

/// The page.
pub async fn show(view: &TenantView<'_>, note: Option<Note>) -> Result<Reply, StoreError> {
    let open = count_open(view).await?;
    let people: Result<Vec<Person>, ServiceError> =
        view.desk.people.with(&Access::Tenant(view.tenant.id.clone())).await;
    let content = html! {
        (back(&view.path("team"), "Team"))
        div.head { h1 { (view.t("Wer sich anmelden darf", "Who may sign in")) } }
        @if let Some(note) = &note { (note.show()) }
        @match &people {
            Err(error) => (Note::failed(view.t("Die Zugänge können gerade nicht gelesen werden.", "The people can't be read now.")).with(html! { (error) }).show()),
            Ok(people) => {
                ul.card.list {
                    @for person in people {
                        li {
                            span { b { (person.name.reveal()) } small { (person.email.reveal()) } }
                            @if person.id != view.who.key.person {
                                form method="post" action=(view.path("people/withdraw")) {
                                    (csrf(view))
                                    input type="hidden" name="person" value=(person.id);
                                    button.btn.bad { (view.t("Zugang entziehen", "Withdraw")) span.hide { ": " (person.name.reveal()) } }
                                }
                            } @else { span.small.soft { (view.t("Sie", "You")) } }
                        }
                    }
                    @if people.is_empty() { li { span { (view.t("Noch niemand. Die Agentur sieht alle Salons.", "Nobody yet. The agency sees all salons.")) } } }
                }
            }
        }
        h2.group { (view.t("Jemanden einladen", "Invite somebody")) }
        form.card method="post" action=(view.path("people")) { div.pad {
            (csrf(view))
            div.field { label for="name" { (view.t("Name, wie er im Verlauf steht", "Name, as the history shows it")) } input #name name="name" required maxlength="60" autocomplete="off"; }
            div.field { label for="email" { (view.t("E-Mail", "Email")) } input #email type="email" name="email" required maxlength="200" autocomplete="off"; p.small.soft { (view.t("Dorthin geht die Einladung, und bei jeder Anmeldung ein Code.", "The invitation goes there, and a code at each sign-in.")) } }
            div.acts { button.btn.go { (view.t("Einladen", "Invite")) } }
        } }
    };
    Ok(Reply::Page(200, page(view, Menu::Team, view.t("Zugänge", "Access"), open, &content)))
}
