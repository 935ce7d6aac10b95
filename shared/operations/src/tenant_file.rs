//! The tenant file: read strictly, since a person writes it, checked against the stack and Cal.com, and loaded.

use std::{
    cell::Cell,
    io::{self, Read},
};

use chrono::Utc;
use intake::{CallIntake, IntakeError};
use platform::{
    secrets::{CalcomKeys, RetellKeys, Secret, SecretError},
    telemetry::LogContext,
};
use scheduling::{
    appointment::Actor,
    assignment::MappingSource,
    tenant::{MappedHost, Tenant},
};
use serde_json::Value;
use store::{Catalogs, TenantRecord};

use crate::{Operations, calcom_account::CalcomAccount, error::OperationError, hosts::Resumed};

/// Why a tenant file is not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileProblem {
    /// It has another form.
    Form {
        /// The line.
        line: usize,
        /// The path inside the file.
        at: String,
        /// What is wrong.
        problem: String,
    },
    /// Its values can't be right: each problem with its path.
    Values(Vec<String>),
}

/// Reads and checks a tenant file. An unknown field is an error: it is most likely misspelled.
///
/// # Errors
/// [`FileProblem`].
pub fn parse(text: &[u8]) -> Result<Tenant, FileProblem> {
    let line = Cell::new(1);
    let mut json = serde_json::Deserializer::from_reader(LineCounter { rest: text, line: &line });
    let mut track = serde_path_to_error::Track::new();
    let mut unknown = Vec::new();
    let tenant: Result<Tenant, _> =
        serde_ignored::deserialize(serde_path_to_error::Deserializer::new(&mut json, &mut track), |field| {
            unknown.push((line.get(), field.to_string()))
        });
    if let Some((line, at)) = unknown.into_iter().next() {
        let field = at.rsplit('.').next().unwrap_or_default().to_owned();
        return Err(FileProblem::Form { line, at, problem: format!("unknown field `{field}`") });
    }
    let tenant = tenant.and_then(|tenant| json.end().map(|()| tenant)).map_err(|error| {
        let at = match track.path().to_string().as_str() {
            "." => "the top level".to_owned(),
            inside => inside.to_owned(),
        };
        FileProblem::Form { line: error.line(), at, problem: error.to_string() }
    })?;
    let problems: Vec<String> = tenant.problems().iter().map(ToString::to_string).collect();
    if problems.is_empty() { Ok(tenant) } else { Err(FileProblem::Values(problems)) }
}

/// Counts the lines that the parser has read: an ignored field has no error that could name its line.
struct LineCounter<'a> {
    rest: &'a [u8],
    line: &'a Cell<usize>,
}

impl Read for LineCounter<'_> {
    /// One byte at a time, so that the count is never ahead of the parser.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (Some((byte, rest)), Some(slot)) = (self.rest.split_first(), buffer.first_mut()) else { return Ok(0) };
        (*slot, self.rest) = (*byte, rest);
        self.line.set(self.line.get() + usize::from(*byte == b'\n'));
        Ok(1)
    }
}

/// A stored tenant in the form of its file, with the mappings that came from there.
pub fn as_file(record: &TenantRecord) -> Value {
    let operators = record.mappings.iter().filter(|mapping| mapping.source == MappingSource::Operator);
    let mut tenant = record.tenant.clone();
    tenant.host_mappings =
        operators.map(|mapping| MappedHost { host: mapping.host, staff: mapping.staff.clone() }).collect();
    serde_json::to_value(tenant).unwrap_or_default()
}

/// The keys of every account.
pub struct Keys {
    /// Retell's.
    pub retell: Secret<RetellKeys>,
    /// Cal.com's.
    pub calcom: Secret<CalcomKeys>,
}

impl Keys {
    /// Accounts that a tenant names and that have no key.
    ///
    /// # Errors
    /// If a secret can't be read.
    pub async fn missing(&self, tenant: &Tenant) -> Result<Vec<String>, OperationError> {
        let (retell, calcom) = (&tenant.retell.account, &tenant.calcom.account);
        let unreadable = |error: SecretError| OperationError::Calcom(error.to_string());
        let mut problems = Vec::new();
        if self.retell.read().await.map_err(unreadable)?.accounts().all(|(account, _)| account != retell) {
            problems.push(format!("retell.account: the secret of Retell keys has no account {retell}"));
        }
        if self.calcom.read().await.map_err(unreadable)?.of(calcom).is_none() {
            problems.push(format!("calcom.account: the secret of Cal.com keys has no account {calcom}"));
        }
        Ok(problems)
    }
}

impl Operations {
    /// Agents and numbers of a tenant that belong to another one.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn taken_routes(&self, tenant: &Tenant) -> Result<Vec<String>, OperationError> {
        let taken = self.tenants.taken_routes(tenant).await?;
        Ok(taken.iter().map(|(route, owner)| format!("retell: {route} belongs to tenant {owner}")).collect())
    }

    /// Loads a tenant that was checked, turns on at Cal.com that its bookings may name their host, and resumes what waited
    /// for it.
    ///
    /// # Errors
    /// If Cal.com, the store or a queue fails.
    pub async fn load_tenant(
        &self,
        tenant: &Tenant,
        account: &CalcomAccount<'_>,
        catalogs: &Catalogs,
        intake: &CallIntake,
        by: Actor<'_>,
    ) -> Result<Resumed, OperationError> {
        let mut catalog = account.catalog().await?;
        let unselectable = account.unselectable(&catalog);
        if !unselectable.is_empty() {
            account.allow_host_selection(&unselectable).await?;
            catalog = account.catalog().await?;
        }
        account.save(catalogs, catalog).await?;
        let before = self.tenants.record(&tenant.id).await?;
        self.tenants.write(tenant, before.as_ref(), Utc::now()).await?;
        let taken_up = intake.take_up_unrouted(tenant, by, &LogContext::default()).await;
        taken_up.map_err(|error| match error {
            IntakeError::Store(error) => OperationError::from(error),
            IntakeError::Queue(error) => error.into(),
        })?;
        let record = self.tenants.record(&tenant.id).await?;
        let record = record.unwrap_or_else(|| TenantRecord { tenant: tenant.clone(), mappings: Vec::new() });
        self.resume_waiting(&record, by, |_, _| ()).await
    }

    /// Adds another name of a service, so that callers who say it are understood.
    ///
    /// # Errors
    /// If there is no such service, or the store fails.
    pub async fn learn_service(&self, record: &TenantRecord, service: &str, word: &str) -> Result<(), OperationError> {
        let mut tenant = record.tenant.clone();
        let known = tenant.services.iter_mut().find(|known| known.id.as_str() == service);
        let known =
            known.ok_or_else(|| OperationError::NotFound(format!("service {service} of {}", record.tenant.id)))?;
        if known.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(word)) {
            return Ok(());
        }
        known.aliases.push(word.to_owned());
        let stored = TenantRecord { tenant, mappings: record.mappings.clone() };
        let Ok(tenant) = serde_json::from_value::<Tenant>(as_file(&stored)) else { return Ok(()) };
        // An alias that makes two services alike would have calls misread.
        if tenant.problems().is_empty() {
            self.tenants.write(&tenant, Some(record), Utc::now()).await?;
        }
        Ok(())
    }
}
