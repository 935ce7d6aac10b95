//! Taking over the appointments of a system that was there before.

use std::{collections::BTreeMap, fs, path::PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;
use platform::{
    aws, settings,
    store::{Appointments, Asked, CallEvent, Calls, Pointers, Recorded, Tenants},
};
use scheduling::{
    appointment::Appointment,
    booking::{Booking, BookingStatus, HostEvidence, NoHost},
    contact::{self, Customer},
    ids::{AppointmentId, BookingUid, CallId, CustomerId, EventTypeId, Source, StaffId, TenantId},
    personal::Personal,
    start_time,
    tenant::Tenant,
    request::AppointmentRequest,
};
use serde::{Deserialize, Serialize};

use crate::{appointment::by_operator, error::CommandError};

/// The name under which a line is kept beside the webhooks' bodies.
const IMPORTED: &str = "imported";
/// Why nothing is left to do with a line.
const CANCELLED: &str = "cancelled";
const PAST: &str = "past and not booked";

/// Takes over appointments from a file: CSV with a header line, or JSON lines, with the fields
/// `id`, `start`, `source`, `service`, `event_type`, `staff`, `name`, `phone`, `email`, `notes`, `calcom_uid`,
/// `cancelled`.
///
/// Every line is checked first, and each that is wrong named; nothing is written unless all are right and --apply is
/// given. What is there already stays as it is, so that a file can be imported again.
#[derive(Args)]
pub struct Import {
    /// The tenant's id.
    tenant: String,
    /// The file: `.csv`, or JSON lines.
    file: PathBuf,
    /// Writes what the lines say. Without it, they are only checked.
    #[arg(long)]
    apply: bool,
}

/// A line of the file.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Row {
    /// The other system's name for the appointment. It must stay the same when a file is made again.
    id: String,
    /// With an offset, or on the tenant's clock.
    start: String,
    /// By which way it came.
    #[serde(default)]
    source: Option<String>,
    /// As callers say it.
    #[serde(default)]
    service: Option<String>,
    /// Cal.com's, where the service alone does not tell it.
    #[serde(default)]
    event_type: Option<EventTypeId>,
    /// Party does it: the id, or the name that callers say.
    #[serde(default)]
    staff: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    phone: Option<String>,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    notes: Option<String>,
    /// Its booking, if it is booked with Cal.com.
    #[serde(default)]
    calcom_uid: Option<String>,
    #[serde(default)]
    cancelled: Option<bool>,
}

/// A line as it was read, or what is wrong with its form.
struct Line {
    number: usize,
    row: Result<Row, String>,
}

/// A line that is right, and what becomes of it.
struct PlannedLine {
    number: usize,
    row: Row,
    becomes: Plan,
}

/// What becomes of a line.
enum Plan {
    /// Nothing is left to do with it.
    PassOver(&'static str),
    /// It is written down, and its contact may lack a part that could not be read.
    Take(Box<Planned>),
}

struct Planned {
    request: AppointmentRequest,
    source: Source,
    done: Option<(Booking, Option<StaffId>)>,
    contact_is_whole: bool,
}

/// Does what is asked for.
pub async fn run(import: Import) -> Result<(), CommandError> {
    let config = aws::config().await;
    let tenants = Tenants::new(&config, settings::required("TENANTS_TABLE")?);
    let found = tenants.load(&TenantId::new(&import.tenant)).await?;
    let tenant = found.ok_or_else(|| CommandError::NotFound(format!("tenant {}", import.tenant)))?;
    let now = Utc::now();
    let (mut plan, mut wrong) = (Vec::new(), Vec::new());
    let mut seen: BTreeMap<(&'static str, String), usize> = BTreeMap::new();
    for Line { number, row } in read(&import.file)? {
        let row = row.and_then(|row| row.first_of_its_kind(number, &mut seen));
        match row.and_then(|row| Ok((row.plan(&tenant, now)?, row))) {
            Ok((becomes, row)) => plan.push(PlannedLine { number, row, becomes }),
            Err(what) => wrong.push(format!("  line {number}: {what}")),
        }
    }
    if !wrong.is_empty() {
        return Err(CommandError::Lines { path: import.file, lines: wrong });
    }
    print_plan(&plan);
    if !import.apply {
        println!("nothing is written; with --apply it is");
        return Ok(());
    }
    let table = settings::required("APPOINTMENTS_TABLE")?;
    let (kept_for, timing) = (TimeDelta::days(settings::parsed_or("CALL_RETENTION_DAYS", 30)?), settings::timing()?);
    let into = Into {
        calls: Calls::new(&config, settings::required("CALLS_TABLE")?, table.clone(), kept_for, timing),
        appointments: Appointments::new(&config, table, timing),
        tenant: &tenant,
    };
    let (mut written, mut known, mut asked_before) = (0, 0, 0);
    let total = plan.len();
    for (at, line) in plan.into_iter().enumerate() {
        if at > 0 && at % 100 == 0 {
            eprintln!("{at} of {total} lines are worked off");
        }
        let Plan::Take(planned) = line.becomes else { continue };
        match into.take(&line.row, *planned).await? {
            Recorded::New => written += 1,
            Recorded::Known(_) => known += 1,
            Recorded::AskedBefore(before) => {
                asked_before += 1;
                println!("line {}: the customer has this already, as appointment {before}", line.number);
            }
        }
    }
    println!("{written} are written, {known} were there already, {asked_before} the customer has already");
    Ok(())
}

/// Where what is imported goes.
struct Into<'a> {
    calls: Calls,
    appointments: Appointments,
    tenant: &'a Tenant,
}

impl Into<'_> {
    async fn take(&self, row: &Row, planned: Planned) -> Result<Recorded, CommandError> {
        let (version, tenant) = (settings::deployed_version(), self.tenant);
        let by = by_operator(&version);
        let call = CallId::new(format!("import:{}", row.id));
        let Planned { request, source, done, .. } = planned;
        let appointment = Appointment::imported(tenant.id.clone(), call.clone(), source, request, done, by);
        let customer = &appointment.request.customer;
        let (customers, what) = (customer.ids(&tenant.id), appointment.request.what(tenant));
        let caller = customer.phone.as_ref().map(|phone| CustomerId::of_phone(&tenant.id, phone.reveal()));
        let body = serde_json::to_vec(row).unwrap_or_default();
        let event = CallEvent {
            tenant: &tenant.id,
            call: &call,
            caller: caller.as_ref(),
            name: IMPORTED,
            body: &body,
            received_at: by.now,
        };
        let asked = Asked { appointment: &appointment, customers: &customers, what: what.as_deref() };
        let recorded = self.calls.record(&event, Some((&asked, &Pointers::IfFree))).await?;
        match &recorded {
            Recorded::AskedBefore(before) if !self.is_the_same(before, &appointment).await? => {
                Ok(self.calls.record(&event, Some((&asked, &Pointers::Beside))).await?)
            }
            _ => Ok(recorded),
        }
    }

    /// Whether what is there is what is to be imported. People who share a contact have an appointment each, and so have
    /// bookings that are two at Cal.com.
    async fn is_the_same(&self, before: &AppointmentId, appointment: &Appointment) -> Result<bool, CommandError> {
        let Some((before, _)) = self.appointments.load(before).await? else { return Ok(false) };
        let uids = before.booking().zip(appointment.booking());
        Ok(before.satisfies(appointment) && uids.is_none_or(|(one, other)| one.uid == other.uid))
    }
}

impl Row {
    /// This line, unless an earlier one has the same id or booking.
    fn first_of_its_kind(
        self,
        number: usize,
        seen: &mut BTreeMap<(&'static str, String), usize>,
    ) -> Result<Self, String> {
        let uid = self.uid().map(|uid| ("calcom_uid", uid.to_owned()));
        for key in [Some(("id", self.id.clone())), uid].into_iter().flatten() {
            let field = key.0;
            if let Some(earlier) = seen.insert(key, number) {
                return Err(format!("{field}: line {earlier} has the same one"));
            }
        }
        Ok(self)
    }

    /// The uid of its booking, if it has one.
    fn uid(&self) -> Option<&str> {
        self.calcom_uid.as_deref().map(str::trim).filter(|uid| !uid.is_empty())
    }

    /// What becomes of this line, or what is wrong with it. Never says what it holds, which may be personal.
    fn plan(&self, tenant: &Tenant, now: DateTime<Utc>) -> Result<Plan, String> {
        if self.id.trim().is_empty() {
            return Err("id: it is empty".to_owned());
        }
        let start = start_time::read_start(Some(&self.start), tenant.time_zone);
        let Some(at) = start.at() else {
            return Err("start: write it as 2026-12-01 14:30, or with an offset".to_owned());
        };
        if self.cancelled == Some(true) {
            return Ok(Plan::PassOver(CANCELLED));
        }
        if self.uid().is_none() && at < now {
            return Ok(Plan::PassOver(PAST));
        }
        let staff = self.staff_of(tenant)?;
        let service = self.service.as_deref();
        if service.is_some_and(|service| tenant.service_called(service).is_none()) {
            return Err("service: the tenant has none by this name".to_owned());
        }
        let fitting = tenant.event_types_for(service, self.staff.as_deref());
        let by_service = fitting.as_ref().ok().and_then(|fitting| fitting.event_types.first().copied());
        // Only what is booked already needs no service that can be booked.
        let event_type = self.event_type.filter(|_| self.uid().is_some()).or(by_service);
        let event_type = event_type.ok_or_else(|| match &fitting {
            Err(why) => format!("service: {why}; what is booked may name its event_type instead"),
            Ok(_) => "service: it has no event type".to_owned(),
        })?;
        let booked = self.uid().map(|uid| Booking {
            uid: BookingUid::new(uid),
            status: BookingStatus::Accepted,
            event_type,
            start: at,
            // staff-assignment asks Cal.com who they are.
            hosts: HostEvidence::None { because: NoHost::Empty, looked_up_again: false },
        });
        let (customer, contact_is_whole) = self.customer(tenant);
        let personal = |text: &Option<String>| text.clone().map(Personal::new);
        Ok(Plan::Take(Box::new(Planned {
            request: AppointmentRequest {
                service: self.service.clone(),
                start,
                customer,
                staff: personal(&self.staff),
                notes: personal(&self.notes),
            },
            source: self.source()?,
            done: booked.map(|booking| (booking, staff)),
            contact_is_whole,
        })))
    }

    fn staff_of(&self, tenant: &Tenant) -> Result<Option<StaffId>, String> {
        let Some(staff) = self.staff.as_deref() else { return Ok(None) };
        let by_id = tenant.staff_member(&StaffId::new(staff));
        let member = by_id.or_else(|| tenant.staff_called(staff));
        Ok(Some(member.ok_or("staff: no active member of the staff goes by this id or name")?.id.clone()))
    }

    fn source(&self) -> Result<Source, String> {
        let word = self.source.as_deref().unwrap_or("import");
        let is_word = word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        if is_word && (1..=40).contains(&word.len()) {
            return Ok(Source::new(word));
        }
        Err("source: write a word of letters, digits, - and _, up to 40 long".to_owned())
    }

    /// The customer, and whether number and email could be read.
    fn customer(&self, tenant: &Tenant) -> (Customer, bool) {
        let phone = self.phone.as_deref().and_then(|phone| contact::phone_number(phone, &tenant.country));
        let email = self.email.as_deref().and_then(contact::email);
        let is_whole = phone.is_some() == self.phone.is_some() && email.is_some() == self.email.is_some();
        let raw_email = self.email.clone().filter(|_| email.is_none()).map(Personal::new);
        (Customer { name: self.name.clone().map(Personal::new), phone, email, raw_email }, is_whole)
    }
}

/// The lines of a file.
fn read(path: &PathBuf) -> Result<Vec<Line>, CommandError> {
    let text = fs::read_to_string(path).map_err(|error| CommandError::NoFile { path: path.clone(), error })?;
    let is_csv = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
    Ok(if is_csv { read_csv(&text) } else { read_json_lines(&text) })
}

fn read_json_lines(text: &str) -> Vec<Line> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let read = |line| serde_json::from_str(line).map_err(|error| form_of(&error));
    lines.map(|(at, line)| Line { number: at + 1, row: read(line) }).collect()
}

fn read_csv(text: &str) -> Vec<Line> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let mut lines = Vec::new();
    let mut record = csv::StringRecord::new();
    let headers = reader.headers().cloned().ok();
    loop {
        let read = reader.read_record(&mut record);
        let number = record.position().map_or(lines.len() + 2, |position| position.line() as usize);
        match read {
            Ok(false) => return lines,
            Ok(true) => {
                let row = record.deserialize(headers.as_ref()).map_err(|error| form_of_csv(&error));
                lines.push(Line { number, row });
            }
            Err(error) => lines.push(Line { number, row: Err(form_of_csv(&error)) }),
        }
    }
}

/// What is wrong with a line's form, without what it holds.
fn form_of(error: &serde_json::Error) -> String {
    let told = error.to_string();
    match told.strip_prefix("unknown field").or_else(|| told.strip_prefix("missing field")) {
        Some(_) => told.split(" at line").next().unwrap_or_default().to_owned(),
        None => "it is not a JSON object of the fields that `frontdesk import --help` names".to_owned(),
    }
}

fn form_of_csv(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("it has {len} fields and the header {expected_len}")
        }
        csv::ErrorKind::Deserialize { err, .. } => match err.kind() {
            csv::DeserializeErrorKind::Message(message) => message.clone(),
            _ => format!("field {} can't be read", err.field().map_or(0, |field| field + 1)),
        },
        _ => "it is not CSV in UTF-8".to_owned(),
    }
}

fn print_plan(plan: &[PlannedLine]) {
    let count = |is_it: &dyn Fn(&Plan) -> bool| plan.iter().filter(|line| is_it(&line.becomes)).count();
    let taken = |is_it: fn(&Planned) -> bool| count(&|plan| matches!(plan, Plan::Take(planned) if is_it(planned)));
    println!("{} lines are right", plan.len());
    println!("{:>6} are to be booked with Cal.com", taken(|it| it.done.is_none()));
    println!("{:>6} are booked, and their staff member is looked for", taken(|it| matches!(it.done, Some((_, None)))));
    println!("{:>6} are booked and have a staff member", taken(|it| matches!(it.done, Some((_, Some(_))))));
    for reason in [CANCELLED, PAST] {
        let passed_over = count(&|plan| matches!(plan, Plan::PassOver(why) if *why == reason));
        println!("{passed_over:>6} are passed over: {reason}");
    }
    for PlannedLine { number, becomes, .. } in plan {
        if matches!(becomes, Plan::Take(planned) if !planned.contact_is_whole) {
            println!("line {number}: its phone number or email can't be read and is left out");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(lines: Vec<Line>) -> Vec<(usize, String)> {
        lines.into_iter().filter_map(|line| Some((line.number, line.row.err()?))).collect()
    }

    #[test]
    fn csv_and_json_lines_say_the_same() {
        let csv = "id,start,service,phone,cancelled\n7,2026-12-01 10:00,Haarschnitt,,\n8,2026-12-01 11:00,\"Farbe\",030 901820,true\n";
        let json = r#"{"id":"7","start":"2026-12-01 10:00","service":"Haarschnitt"}

            {"id":"8","start":"2026-12-01 11:00","service":"Farbe","phone":"030 901820","cancelled":true}"#;
        let told = |lines: Vec<Line>| -> Vec<String> {
            lines.into_iter().map(|line| format!("{:?}", line.row.unwrap())).collect()
        };
        assert_eq!(told(read_csv(csv)), told(read_json_lines(json)));
    }

    #[test]
    fn what_is_wrong_is_named_by_its_line_and_nothing_of_it_is_repeated() {
        let csv = "id,start,cancelled\n7,2026-12-01 10:00,Zwiebel\n8,2026-12-01 11:00\n9,2026-12-01 12:00,\n";
        let found = wrong(read_csv(csv));
        assert_eq!(found.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [2, 3]);
        assert!(found.iter().all(|(_, what)| !what.contains("Zwiebel")), "{found:?}");
        let found = wrong(read_json_lines("{\"id\":\"7\"}\n[]\n{\"id\":\"8\",\"start\":\"x\",\"hair\":\"Zwiebel\"}"));
        assert_eq!(found.len(), 3);
        assert!(found[0].1.contains("start") && found[2].1.contains("hair"), "{found:?}");
        assert!(found.iter().all(|(_, what)| !what.contains("Zwiebel")), "{found:?}");
    }
}
