//! `frontdesk understand`: shows how a caller's words are read.

use std::{
    fs,
    io::{self, BufRead, Write},
    path::PathBuf,
};

use chrono::{DateTime, NaiveDateTime, SecondsFormat, TimeZone, Utc};
use chrono_tz::Tz;
use clap::Args;
use scheduling::{
    hours::OpeningHours,
    ids::TenantId,
    personal::Personal,
    spoken_name::{self, NameReading, Named},
    spoken_time::{Candidate, Hearing, TimeReading, Window},
    tenant::Tenant,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{context::CommandContext, error::CommandError};

/// Show how the words of a caller are read, one JSON line for each.
///
/// Without --time, --service and --staff, lines of tab-separated values are read from standard input:
/// `time|service|staff`, the moment of the call, the text.
#[derive(Args)]
pub struct Understand {
    /// The tenant's id.
    #[arg(required_unless_present = "file")]
    tenant: Option<String>,
    /// Read the tenant from this file instead, which needs no more than `time_zone`, `language`, `hours`, and the names of
    /// `staff` and `services`. No stack is needed.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The moment of the call: with an offset, or in the tenant's zone (2026-11-26T10:00). Now by default.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Read this as a time.
    #[arg(long, value_name = "TEXT")]
    time: Vec<String>,
    /// Read this as a service.
    #[arg(long, value_name = "TEXT")]
    service: Vec<String>,
    /// Read this as a staff member.
    #[arg(long, value_name = "TEXT")]
    staff: Vec<String>,
}

/// What is needed of a tenant to understand its callers.
#[derive(Deserialize)]
struct Vocabulary {
    #[serde(default = "berlin")]
    time_zone: Tz,
    #[serde(default)]
    language: String,
    hours: Option<OpeningHours>,
    #[serde(default)]
    staff: Vec<Entry>,
    #[serde(default)]
    services: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    id: Option<String>,
    name: String,
    #[serde(default)]
    aliases: Vec<String>,
    #[serde(default = "yes")]
    active: bool,
}

fn berlin() -> Tz {
    Tz::Europe__Berlin
}

fn yes() -> bool {
    true
}

/// Runs the command.
pub async fn run(command: Understand) -> Result<(), CommandError> {
    let vocabulary = match (&command.file, &command.tenant) {
        (Some(path), _) => read(path)?,
        (None, tenant) => {
            let context = CommandContext::from_env().await?;
            let id = TenantId::new(tenant.as_deref().unwrap_or_default());
            Vocabulary::of(&*context.tenant(&context.tenants()?, &id).await?)
        }
    };
    let moment = |text: &str| {
        let read = moment(text, vocabulary.time_zone);
        read.ok_or_else(|| CommandError::Refused(format!("failed to read the moment {text:?}; write 2026-11-26T10:00")))
    };
    let said_at = command.at.as_deref().map(moment).transpose()?.unwrap_or_else(Utc::now);
    let mut out = io::stdout().lock();
    let fields = [("time", &command.time), ("service", &command.service), ("staff", &command.staff)];
    let arguments = fields.iter().flat_map(|(field, texts)| texts.iter().map(|text| (*field, text.as_str())));
    let mut count = 0;
    for (field, text) in arguments {
        count += 1;
        if !print(&mut out, &vocabulary.answer(field, said_at, text).unwrap_or_default())? {
            return Ok(());
        }
    }
    if count > 0 { Ok(()) } else { from_standard_input(&vocabulary, said_at, &mut out) }
}

fn from_standard_input(vocabulary: &Vocabulary, now: DateTime<Utc>, out: &mut impl Write) -> Result<(), CommandError> {
    let mut wrong = 0;
    for (number, line) in (1..).zip(io::stdin().lock().lines()) {
        let line = line.map_err(CommandError::Terminal)?;
        let line = line.trim_end_matches('\r');
        if line.is_empty() {
            continue;
        }
        let mut parts = line.splitn(3, '\t');
        let (field, at, text) =
            (parts.next().unwrap_or_default(), parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let said_at = if at.trim().is_empty() { Some(now) } else { moment(at, vocabulary.time_zone) };
        let answer = match said_at {
            None => Err(format!("line {number}: {at:?} is no moment; write 2026-11-26T10:00")),
            Some(said_at) => vocabulary.answer(field.trim(), said_at, text).ok_or_else(|| {
                format!("line {number}: begin with time, service or staff, then the moment of the call and the text, with tabs between")
            }),
        };
        wrong += u32::from(answer.is_err());
        if !print(out, &answer.unwrap_or_else(|error| json!({ "error": error })))? {
            return Ok(());
        }
    }
    if wrong > 0 {
        Err(CommandError::Incomplete(format!("failed to read {wrong} lines; see `error` in the answers")))
    } else {
        Ok(())
    }
}

/// Prints a line. Returns `false` if nobody reads on.
fn print(out: &mut impl Write, answer: &Value) -> Result<bool, CommandError> {
    match writeln!(out, "{answer}") {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(CommandError::Terminal(error)),
    }
}

fn read(path: &PathBuf) -> Result<Vocabulary, CommandError> {
    let text = fs::read(path).map_err(|error| CommandError::File { path: path.clone(), error })?;
    let mut json = serde_json::Deserializer::from_slice(&text);
    serde_path_to_error::deserialize(&mut json).map_err(|error| CommandError::Form {
        path: path.clone(),
        line: error.inner().line(),
        at: error.path().to_string(),
        problem: error.inner().to_string(),
    })
}

/// A moment with an offset, or on the clock of a zone.
fn moment(text: &str, zone: Tz) -> Option<DateTime<Utc>> {
    let text = text.trim();
    let local = || {
        let forms = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M"];
        let local = forms.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())?;
        zone.from_local_datetime(&local).earliest().map(|at| at.to_utc())
    };
    let exact = DateTime::parse_from_rfc3339(text).or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M%:z"));
    exact.ok().map(|at| at.to_utc()).or_else(local)
}

impl Vocabulary {
    fn of(tenant: &Tenant) -> Self {
        let reveal = |names: &[Personal<String>]| names.iter().map(|name| name.reveal().clone()).collect();
        Self {
            time_zone: tenant.time_zone,
            language: tenant.language.clone(),
            hours: tenant.hours.clone(),
            staff: tenant
                .staff
                .iter()
                .map(|member| Entry {
                    id: Some(member.id.to_string()),
                    name: member.name.reveal().clone(),
                    aliases: reveal(&member.aliases),
                    active: member.active,
                })
                .collect(),
            services: tenant
                .services
                .iter()
                .map(|service| Entry {
                    id: Some(service.id.to_string()),
                    name: service.name.clone(),
                    aliases: service.aliases.clone(),
                    active: true,
                })
                .collect(),
        }
    }

    /// How a text is read. `None` if there is no such field.
    fn answer(&self, field: &str, said_at: DateTime<Utc>, text: &str) -> Option<Value> {
        match field {
            "time" => {
                let hearing = Hearing {
                    said_at,
                    zone: self.time_zone,
                    hours: self.hours.as_ref(),
                    is_english: self.language == "en",
                };
                Some(time(&hearing.read(text), self.time_zone))
            }
            "service" => Some(names(&self.services, text, |named| spoken_name::read_service(Some(text), named))),
            "staff" => Some(names(&self.staff, text, |named| spoken_name::read_staff(Some(text), named))),
            _ => None,
        }
    }
}

fn local(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone).to_rfc3339_opts(SecondsFormat::Secs, false)
}

fn time(reading: &TimeReading, zone: Tz) -> Value {
    let span = |window: &Window| json!({"from": local(window.from, zone), "to": local(window.to, zone)});
    let candidate = |candidate: &Candidate| match candidate {
        Candidate::At { at } => json!({"at": local(*at, zone)}),
        Candidate::Window(window) => span(window),
    };
    match reading {
        TimeReading::Moment { at, is_earlier_of_two: false } => json!({"kind": "moment", "at": local(*at, zone)}),
        TimeReading::Moment { at, is_earlier_of_two: true } => {
            json!({"kind": "moment", "at": local(*at, zone), "why": "earlier_of_two"})
        }
        TimeReading::Window(windows) => {
            let mut answer = windows.first().map(span).unwrap_or_default();
            answer["kind"] = json!("window");
            if windows.len() > 1 {
                // The first is `from` and `to`; all are here.
                answer["readings"] = windows.iter().map(span).collect();
            }
            answer
        }
        TimeReading::Question { doubt, readings } => {
            json!({"kind": "question", "readings": readings.iter().map(candidate).collect::<Value>(), "why": doubt.to_string()})
        }
        TimeReading::None(problem) => json!({"kind": "none", "why": problem.to_string()}),
    }
}

fn names<'e>(
    entries: &'e [Entry],
    text: &str,
    read: impl FnOnce(&[Named<'_, &'e str>]) -> NameReading<&'e str>,
) -> Value {
    let id = |entry: &'e Entry| entry.id.as_deref().unwrap_or(&entry.name);
    let active: Vec<(&Entry, &str)> =
        entries.iter().filter(|entry| entry.active).map(|entry| (entry, id(entry))).collect();
    let named = active.iter().map(|(entry, id)| Named {
        id,
        name: &entry.name,
        aliases: entry.aliases.iter().map(String::as_str).collect(),
    });
    let named: Vec<Named<'_, &str>> = named.collect();
    // Agents that choose from a list write the id.
    let by_id = active.iter().find(|(_, id)| *id == text.trim()).map(|(_, id)| NameReading::Known(*id));
    match by_id.unwrap_or_else(|| read(&named)) {
        NameReading::Known(id) => json!({"kind": "known", "ids": [id]}),
        NameReading::Several(ids) => json!({"kind": "several", "ids": ids}),
        NameReading::Anyone => json!({"kind": "anyone", "ids": []}),
        NameReading::Ambiguous(ids) => json!({"kind": "ambiguous", "ids": ids}),
        NameReading::Unknown { near } if near.is_empty() => json!({"kind": "unknown", "ids": []}),
        NameReading::Unknown { near } => {
            let near: Value = near.iter().map(|miss| json!({"said": miss.said, "nearly": miss.nearly})).collect();
            json!({"kind": "unknown", "ids": [], "near": near, "why": "near_miss"})
        }
    }
}
