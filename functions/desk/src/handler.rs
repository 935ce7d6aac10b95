//! Handles a request of a browser: who sends it, whether they may, and which page or action it is.

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use chrono::Utc;
use lambda_runtime::{Context, Error};
use maud::html;
use operations::{
    OperationError,
    back_office::{Request as OfficeRequest, Response as OfficeResponse},
    customer::Shared,
    dead_letters::DeadLetter,
};
use platform::telemetry::LogContext;
use scheduling::ids::{CustomerId, HostId, StaffId};
use tracing::Instrument;

use crate::{
    actions,
    assets::{ICON, SCRIPT, STYLE},
    desk::Desk,
    error::PageError,
    http::{Reply, Request, Response},
    layout::{Note, bare},
    pages::{
        appointment, ask, calendar, customer, evidence,
        people::Circle,
        quality, search,
        system::{self, Checked},
        team, to_do,
    },
    route::{Question, Route, SystemRoute, TenantRoute},
    session::SignedIn,
    sign_in,
    view::{TenantView, View, with},
};

impl Desk {
    /// Responds to one request.
    pub async fn handle(
        &self,
        request: ApiGatewayV2httpRequest,
        context: Context,
    ) -> Result<ApiGatewayV2httpResponse, Error> {
        let (request, log) = (Request::of(request), LogContext::for_request(&context));
        let response = async {
            match self.respond(&request).await {
                Ok(response) => response,
                Err(error) => self.failed(&error, &log).into(),
            }
        };
        let response = response.instrument(log.span()).await;
        Ok(response.finish(&request, &self.pool.sign_in_origin()))
    }

    async fn respond(&self, request: &Request) -> Result<Response, PageError> {
        let route = Route::parse(&request.method, &request.path).ok_or(PageError::NotFound)?;
        match &route {
            Route::Style => return Ok(Reply::Asset("text/css; charset=utf-8", STYLE).into()),
            Route::Script => return Ok(Reply::Asset("text/javascript; charset=utf-8", SCRIPT).into()),
            Route::Icon => return Ok(Reply::Asset("image/svg+xml", ICON).into()),
            Route::SignIn => return Ok(sign_in::begin(self, request)),
            Route::SignedIn => return sign_in::finish(self, request).await,
            _ => {}
        }
        let now = Utc::now();
        let Some(who) = self.signed_in(request, now).await? else { return Ok(sign_in::needed(request)) };
        let is_post = request.method == http::Method::POST;
        if is_post && (!who.sent(request) || request.is_from_elsewhere(&self.pool.desk_url)) {
            return Err(PageError::Forged);
        }
        match route {
            Route::SignOut => sign_in::sign_out(self, &who, false).await,
            Route::SignOutEverywhere => sign_in::sign_out(self, &who, true).await,
            Route::Language => sign_in::switch_language(self, who).await,
            Route::Start => self.start(&who).await.map(Response::from),
            Route::System(route) if who.is_agency() => self.system(View::of(self, &who), route, request).await,
            Route::Tenant(tenant, route) => {
                let permitted = who.permit(&tenant).ok_or(PageError::NotFound)?;
                let tenant = self.operations.tenant(&tenant).await?;
                let view = TenantView { view: View::of(self, &who), permitted, tenant, only: to_do::only(request) };
                self.tenant(&view, route, request).await.map(Response::from)
            }
            _ => Err(PageError::NotFound),
        }
    }

    /// Where a person begins: at what waits in their salon, or at all salons.
    async fn start(&self, who: &SignedIn) -> Result<Reply, PageError> {
        Ok(match who.session.tenants.as_deref() {
            None => Reply::SeeOther("/system".to_owned()),
            Some([only]) => Reply::SeeOther(format!("/s/{only}/todo")),
            Some(tenants) => {
                let view = View::of(self, who);
                let mut named = Vec::new();
                for id in tenants {
                    named.extend(
                        self.operations.tenants.load(id).await?.map(|tenant| (id.clone(), tenant.name.clone())),
                    );
                }
                let content = html! {
                    div.head { h1 { (view.t("Welcher Salon?", "Which salon?")) } }
                    ul.card.list { @for (id, name) in &named { li { span { a href={ "/s/" (id) "/todo" } { b { (name) } } } } } }
                    @if named.is_empty() { p { (view.t("Ihr Zugang gehört noch zu keinem Salon.", "Your access belongs to no salon yet.")) } }
                };
                Reply::Page(200, bare("Frontdesk", &content))
            }
        })
    }

    async fn tenant(&self, view: &TenantView<'_>, route: TenantRoute, request: &Request) -> Result<Reply, PageError> {
        let load = async |id| self.operations.appointment(id, Some(view.permitted.tenant())).await;
        let note = actions::note(view, request).await?;
        Ok(match route {
            TenantRoute::ToDo => to_do::show(view, request, note).await?,
            TenantRoute::OneToDo(id) => actions::show_to_do(view, &id, request).await?,
            TenantRoute::Day => calendar::day(view, request).await?,
            TenantRoute::Week => calendar::week(view, request).await?,
            TenantRoute::Search => search::form(view, request, note).await?,
            TenantRoute::Found => {
                search::found(view, request.form.get("q").unwrap_or_default(), request.form.get("show")).await?
            }
            TenantRoute::CleanUp => actions::clean_up(view, request).await?,
            TenantRoute::Team => team::show(view, note).await?,
            TenantRoute::MapHost(host) => self.map_host(view, host, request).await?,
            TenantRoute::RetryAll => actions::retry_all(view, request).await?,
            TenantRoute::Quality => quality::show(view, request).await?,
            TenantRoute::People => Circle::Tenant(view).page(request).await?,
            TenantRoute::Invite => Circle::Tenant(view).invite(request).await?,
            TenantRoute::Withdraw => Circle::Tenant(view).withdraw(request).await?,
            TenantRoute::Appointment(id) => appointment::show(view, load(&id).await?, note).await?,
            TenantRoute::Evidence(id) => {
                let found = evidence::load(view, &load(&id).await?.value).await?;
                Reply::Page(200, html! { main { (found) } })
            }
            TenantRoute::Ask(id, Question::Time) => ask::time(view, load(&id).await?, request, None).await?,
            TenantRoute::Ask(id, Question::Cancel) => ask::cancel(view, load(&id).await?, request).await?,
            TenantRoute::Ask(id, Question::Close) => ask::close(view, load(&id).await?, request).await?,
            TenantRoute::Ask(id, Question::Staff) => ask::staff(view, load(&id).await?, request).await?,
            TenantRoute::Act(id, deed) => actions::act(view, &id, deed, request).await?,
            TenantRoute::Customer(id) => {
                let found = customer::find(view, &id).await?.ok_or(PageError::NotFound)?;
                customer::show(view, &id, found, note).await?
            }
            TenantRoute::AskErase(id) => {
                let found = customer::find(view, &id).await?.ok_or(PageError::NotFound)?;
                customer::ask_erase(view, &id, found).await?
            }
            TenantRoute::Erase(id) => self.erase(view, &id, request).await?,
            TenantRoute::Export(id) => {
                let found = customer::find(view, &id).await?.ok_or(PageError::NotFound)?;
                let exported = self.customers.export(&found).await?;
                Reply::Download("auskunft.json".to_owned(), format!("{exported:#}"))
            }
        })
    }

    async fn map_host(&self, view: &TenantView<'_>, host: HostId, request: &Request) -> Result<Reply, PageError> {
        let back = if request.form.get("from") == Some("team") { view.path("team") } else { view.list() };
        let Some(staff) = request.form.get("staff").map(StaffId::new) else { return Err(PageError::NotFound) };
        let record = self.operations.tenants.record(&view.tenant.id).await?.ok_or(PageError::NotFound)?;
        let by = self.operations.actor(Some(view.who.session.name.reveal()));
        match self.operations.map_host(&record, host, &staff, by).await {
            Ok(_) => Ok(Reply::SeeOther(with(back, "done", "mapped"))),
            Err(OperationError::Refused(refusal)) => {
                let why = actions::words(view, &refusal);
                let note = Note::failed(view.t("Das ist nicht geschehen.", "This was not done.")).with(html! { (why) });
                Ok(team::show(view, Some(note)).await?)
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn erase(&self, view: &TenantView<'_>, id: &CustomerId, request: &Request) -> Result<Reply, PageError> {
        let found = customer::find(view, id).await?.ok_or(PageError::NotFound)?;
        let chosen = match found.clone().of(customer::chosen(request)) {
            Ok(chosen) if request.form.get("sure").is_some() => chosen,
            Ok(_) | Err(Shared(_)) => return Ok(customer::ask_erase(view, id, found).await?),
        };
        let by = self.operations.actor(Some(view.who.session.name.reveal()));
        match self.customers.erase(&chosen, by).await {
            Ok(()) => Ok(customer::erased(view, &chosen).await?),
            Err(OperationError::Incomplete(_)) => {
                let note = Note::failed(view.t("Noch nicht gelöscht.", "Not erased yet."));
                let why = view.t(
                    "Ein Termin wird gerade eingetragen, oder bei Cal.com steht vielleicht eine Buchung. Bitte in drei Minuten noch einmal.",
                    "An appointment is being booked, or Cal.com may hold a booking. Please try again in three minutes.",
                );
                Ok(customer::show(view, id, found, Some(note.with(html! { (why) }))).await?)
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn system(&self, view: View<'_>, route: SystemRoute, request: &Request) -> Result<Response, PageError> {
        let person = view.who.session.name.clone();
        let reply = match route {
            SystemRoute::Overview => system::show(&view, request).await?,
            SystemRoute::People => Circle::Agency(&view).page(request).await?,
            SystemRoute::Invite => Circle::Agency(&view).invite(request).await?,
            SystemRoute::Withdraw => Circle::Agency(&view).withdraw(request).await?,
            SystemRoute::NewTenant => {
                system::tenant(&view, None, None, Checked::Not).await?.ok_or(PageError::NotFound)?
            }
            SystemRoute::EditTenant(id) => {
                system::tenant(&view, Some(&id), None, Checked::Not).await?.ok_or(PageError::NotFound)?
            }
            SystemRoute::LoadTenant => {
                let text = request.form.get("file").unwrap_or_default();
                let apply = request.form.get("check").is_none();
                let sent = OfficeRequest::Tenant { text: text.to_owned(), apply, person };
                let checked = match self.ask_office(&sent).await? {
                    OfficeResponse::Done => return Ok(Reply::SeeOther("/system?done=loaded".to_owned()).into()),
                    OfficeResponse::Problems(problems) if problems.is_empty() => Checked::Good,
                    OfficeResponse::Problems(problems) => Checked::Bad(problems),
                    OfficeResponse::Refused(why) => Checked::Bad(vec![why]),
                    _ => return Err(PageError::NotFound),
                };
                system::tenant(&view, None, Some(text), checked).await?.ok_or(PageError::NotFound)?
            }
            SystemRoute::Resume(tenant) => {
                let id = self.operations.tenant(&tenant).await?.id.clone();
                let word = match self.ask_office(&OfficeRequest::Resume { tenant }).await? {
                    OfficeResponse::Done => "resumed",
                    OfficeResponse::Refused(_) => "refused",
                    _ => "not-known",
                };
                Reply::SeeOther(with(with("/system".to_owned(), "done", word), "tenant", id.as_str()))
            }
            SystemRoute::Redrive => {
                let most = request.form.get("first").and_then(|first| first.parse().ok());
                self.redrive(most.unwrap_or(usize::MAX), person.reveal()).await?;
                Reply::SeeOther("/system?done=redriven".to_owned())
            }
        };
        Ok(reply.into())
    }

    /// Has dead letters processed once more, so many at most.
    async fn redrive(&self, most: usize, person: &str) -> Result<(), OperationError> {
        let mut left = most;
        for queue in &self.dead_letters {
            let decide = |_: &DeadLetter| {
                let is_chosen = left > 0;
                left = left.saturating_sub(1);
                is_chosen.then_some(true)
            };
            self.operations.inspect_dead_letters(queue, false, self.operations.actor(Some(person)), decide).await?;
        }
        Ok(())
    }

    /// The page of a request that failed. It tells nothing of what is stored.
    fn failed(&self, error: &PageError, log: &LogContext) -> Reply {
        let (status, title, text) = match error {
            PageError::NotFound => (
                404,
                "Nicht gefunden",
                "Diese Seite gibt es nicht, oder nicht für Sie. / There is no such page, or not for you.",
            ),
            PageError::Forged => {
                tracing::warn!("form refused: it is not one of the session's");
                (
                    403,
                    "Nicht angenommen",
                    "Bitte laden Sie die Seite neu und versuchen Sie es noch einmal. Es wurde nichts geändert. / Please reload the page and try again. Nothing was changed.",
                )
            }
            error => {
                tracing::error!(%error, "page failed");
                self.metrics.count("PageFailed", None, log);
                (
                    503,
                    "Gerade nicht möglich",
                    "Bitte in einer Minute noch einmal versuchen. Ob etwas geändert wurde, zeigt die Seite danach. / Please try again in a minute. The page then shows whether anything was changed.",
                )
            }
        };
        let content = html! { div.head { h1 { (title) } } p { (text) } p.back { a.btn href="/" { "Frontdesk" } } };
        Reply::Page(status, bare(title, &content))
    }
}
