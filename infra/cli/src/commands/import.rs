//! `frontdesk import`: import the appointments of another system.

use std::{collections::BTreeMap, fs, path::PathBuf};

use chrono::{DateTime, Utc};
use clap::Args;
use scheduling::{
    appointment::Appointment,
    booking::{Booking, BookingStatus, HostEvidence, NoHost},
    contact::{self, Customer},
    duplicate::{Duplicate, judge_imported},
    ids::{AppointmentId, BookingUid, CallId, CustomerId, EventTypeId, Source, StaffId, TenantId},
    personal::Personal,
    request::{AppointmentRequest, Intent},
    spoken_time::Hearing,
    start_time::RequestedStart,
    tenant::Tenant,
};
use serde::{Deserialize, Serialize};
use store::{Appointments, CallEvent, Calls, NewAppointment, Recorded, SlotClaim};

use crate::{
    context::{CommandContext, DRY_RUN},
    error::CommandError,
};

/// The event name under which a line is stored in the calls table.
const IMPORTED: &str = "imported";
/// Why a line is skipped.
const CANCELLED: &str = "cancelled";
const PAST: &str = "past and not booked";

/// Import appointments from a file: CSV with a header line, or JSON lines.
///
/// The fields are `id`, `start`, `source`, `service`, `event_type`, `staff`, `name`, `phone`, `email`, `notes`,
/// `calcom_uid` and `cancelled`. Every line is checked first; nothing is written unless all are valid and --apply is
/// given. Existing appointments stay as they are, so that a file can be imported again.
#[derive(Args)]
pub struct Import {
    /// The tenant's id.
    tenant: String,
    /// The file: `.csv`, or else JSON lines.
    file: PathBuf,
    /// Write the appointments.
    #[arg(long)]
    apply: bool,
}

/// A line of the file.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Row {
    /// The other system's id. It must be the same when the file is created again.
    id: String,
    /// With an offset, or in the tenant's time zone.
    start: String,
    /// The channel.
    #[serde(default)]
    source: Option<String>,
    /// The name that callers use.
    #[serde(default)]
    service: Option<String>,
    /// Cal.com's event type, if the service is not enough.
    #[serde(default)]
    event_type: Option<EventTypeId>,
    /// The staff member's id, or the name that callers use.
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
    /// The uid of its booking at Cal.com, if it is booked.
    #[serde(default)]
    calcom_uid: Option<String>,
    #[serde(default)]
    cancelled: Option<bool>,
}

/// A parsed line, or what is wrong with its form.
struct Line {
    number: usize,
    row: Result<Row, String>,
}

/// A valid line, and what becomes of it.
struct PlannedLine {
    number: usize,
    row: Row,
    becomes: Plan,
}

/// What becomes of a line.
enum Plan {
    /// It is skipped.
    Skip(&'static str),
    /// It is imported.
    Import(Box<Planned>),
}

struct Planned {
    request: AppointmentRequest,
    source: Source,
    done: Option<(Booking, Option<StaffId>)>,
    contact_is_whole: bool,
}

/// Runs the command.
pub async fn run(import: Import) -> Result<(), CommandError> {
    let context = CommandContext::from_env().await?;
    let tenant = context.tenant(&context.tenants()?, &TenantId::new(&import.tenant)).await?;
    let now = Utc::now();
    let (mut plan, mut invalid) = (Vec::new(), Vec::new());
    let mut seen: BTreeMap<(&'static str, String), usize> = BTreeMap::new();
    for Line { number, row } in read(&import.file)? {
        let row = row.and_then(|row| row.first_of_its_kind(number, &mut seen));
        match row.and_then(|row| Ok((row.plan(&tenant, now)?, row))) {
            Ok((becomes, row)) => plan.push(PlannedLine { number, row, becomes }),
            Err(problem) => invalid.push(format!("  line {number}: {problem}")),
        }
    }
    if !invalid.is_empty() {
        return Err(CommandError::InvalidLines { path: import.file, lines: invalid });
    }
    print_plan(&plan);
    if !import.apply {
        say!("{DRY_RUN}");
        return Ok(());
    }
    let importer = Importer {
        calls: Calls::from_env(&context.config, context.timing)?,
        appointments: context.appointments()?,
        tenant: &tenant,
        context: &context,
    };
    let (mut written, mut existing, mut duplicates) = (0, 0, 0);
    let total = plan.len();
    for (at, line) in plan.into_iter().enumerate() {
        if at > 0 && at % 100 == 0 {
            eprintln!("{at} of {total} lines processed");
        }
        let Plan::Import(planned) = line.becomes else { continue };
        if let Some(holder) = importer.holder_of(&line.row).await? {
            duplicates += 1;
            say!("line {}: the appointment {holder} has this booking already", line.number);
            continue;
        }
        match importer.import(&line.row, *planned).await? {
            Recorded::Inserted => written += 1,
            Recorded::Existing(_) => existing += 1,
            Recorded::Duplicate(duplicate) => {
                duplicates += 1;
                say!("line {}: the customer has this appointment already: {duplicate}", line.number);
            }
        }
    }
    say!("{written} written, {existing} existing, {duplicates} duplicates");
    Ok(())
}

/// Imports the lines of a file.
struct Importer<'a> {
    context: &'a CommandContext,
    calls: Calls,
    appointments: Appointments,
    tenant: &'a Tenant,
}

impl Importer<'_> {
    /// Another appointment that has the booking of this line: a booking belongs to one appointment.
    async fn holder_of(&self, row: &Row) -> Result<Option<AppointmentId>, CommandError> {
        let Some(uid) = row.uid() else { return Ok(None) };
        let own = AppointmentId::of_call(&self.tenant.id, &row.call());
        let holder = self.appointments.of_booking(&BookingUid::new(uid)).await?;
        Ok(holder.filter(|holder| *holder != own))
    }

    async fn import(&self, row: &Row, planned: Planned) -> Result<Recorded, CommandError> {
        let (by, tenant) = (self.context.actor(), self.tenant);
        let call = row.call();
        let Planned { request, source, done, .. } = planned;
        let appointment = Appointment::imported(tenant.id.clone(), call.clone(), source, request, done, by);
        let customer = &appointment.request.customer;
        let (customers, dedup_key) = (customer.ids(&tenant.id), appointment.request.dedup_key(tenant));
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
        let new = NewAppointment { appointment: &appointment, customers: &customers, dedup_key: dedup_key.as_deref() };
        let recorded = self.calls.record(&event, Some((&new, &SlotClaim::IfVacant))).await?;
        let Recorded::Duplicate(existing) = &recorded else { return Ok(recorded) };
        let existing = self.appointments.load(existing).await?.map(|stored| stored.value);
        match judge_imported(existing.as_ref(), &appointment) {
            Duplicate::Same => Ok(recorded),
            Duplicate::OtherPerson | Duplicate::Closed => {
                Ok(self.calls.record(&event, Some((&new, &SlotClaim::Beside))).await?)
            }
        }
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
                return Err(format!("{field}: duplicates line {earlier}"));
            }
        }
        Ok(self)
    }

    /// The call that its appointment counts as having come from.
    fn call(&self) -> CallId {
        CallId::new(format!("import:{}", self.id))
    }

    /// The uid of its booking, if it has one.
    fn uid(&self) -> Option<&str> {
        self.calcom_uid.as_deref().map(str::trim).filter(|uid| !uid.is_empty())
    }

    /// What becomes of this line, or its problem. Never quotes the line, which may be personal.
    fn plan(&self, tenant: &Tenant, now: DateTime<Utc>) -> Result<Plan, String> {
        if self.id.trim().is_empty() {
            return Err("id: must not be empty".to_owned());
        }
        let start = RequestedStart::of(Hearing::read_record(&self.start, tenant.time_zone), Some(self.start.clone()));
        let Some(at) = start.at() else {
            return Err("start: use the form 2026-12-01 14:30, or add an offset".to_owned());
        };
        if self.cancelled == Some(true) {
            return Ok(Plan::Skip(CANCELLED));
        }
        if self.uid().is_none() && at < now {
            return Ok(Plan::Skip(PAST));
        }
        let staff = self.staff_of(tenant)?;
        let service = self.service.as_deref();
        if service.is_some_and(|service| tenant.service_called(service).is_none()) {
            return Err("service: the tenant has no service of this name".to_owned());
        }
        let fitting = tenant.event_types_for(service, self.staff.as_deref());
        let by_service = fitting.as_ref().ok().and_then(|fitting| fitting.event_types.first().copied());
        // Only a booked appointment needs no service that can be booked.
        let event_type = self.event_type.filter(|_| self.uid().is_some()).or(by_service);
        let event_type = event_type.ok_or_else(|| match &fitting {
            Err(why) => format!("service: {why}; a booked appointment may give its event_type instead"),
            Ok(_) => "service: it has no event type".to_owned(),
        })?;
        let booked = self.uid().map(|uid| Booking {
            uid: BookingUid::new(uid),
            status: BookingStatus::Accepted,
            event_type,
            start: at,
            // staff-assignment looks them up at Cal.com.
            hosts: HostEvidence::None { reason: NoHost::Empty, looked_up_again: false },
        });
        let (customer, contact_is_whole) = self.customer(tenant);
        let personal = |text: &Option<String>| text.clone().map(Personal::new);
        Ok(Plan::Import(Box::new(Planned {
            request: AppointmentRequest {
                intent: Intent::Book,
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
        Ok(Some(member.ok_or("staff: no active staff member has this id or name")?.id.clone()))
    }

    fn source(&self) -> Result<Source, String> {
        let word = self.source.as_deref().unwrap_or("import");
        let is_word = word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        if is_word && (1..=40).contains(&word.len()) {
            return Ok(Source::new(word));
        }
        Err("source: use a word of at most 40 letters, digits, - and _".to_owned())
    }

    /// The customer, and whether number and email could be read.
    fn customer(&self, tenant: &Tenant) -> (Customer, bool) {
        let phone = self.phone.as_deref().and_then(|phone| contact::phone_number(phone, &tenant.country));
        let email = self.email.as_deref().and_then(contact::email);
        let is_whole = phone.is_some() == self.phone.is_some() && email.is_some() == self.email.is_some();
        let raw_email = self.email.clone().filter(|_| email.is_none()).map(Personal::new);
        (Customer { name: self.name.clone().map(Personal::new), phone, email, raw_email, raw_phone: None }, is_whole)
    }
}

/// The lines of a file.
fn read(path: &PathBuf) -> Result<Vec<Line>, CommandError> {
    let text = fs::read_to_string(path).map_err(|error| CommandError::File { path: path.clone(), error })?;
    let is_csv = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
    Ok(if is_csv { read_csv(&text) } else { read_json_lines(&text) })
}

fn read_json_lines(text: &str) -> Vec<Line> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let read = |line| serde_json::from_str(line).map_err(|error| form_of(&error));
    lines.map(|(at, line)| Line { number: at + 1, row: read(line) }).collect()
}

fn read_csv(text: &str) -> Vec<Line> {
    // A German spreadsheet writes semicolons.
    let header = text.lines().next().unwrap_or_default();
    let delimiter = if header.contains(';') && !header.contains(',') { b';' } else { b',' };
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).trim(csv::Trim::All).from_reader(text.as_bytes());
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

/// The problem of a line's form, without quoting the line.
fn form_of(error: &serde_json::Error) -> String {
    let message = error.to_string();
    match message.strip_prefix("unknown field").or_else(|| message.strip_prefix("missing field")) {
        Some(_) => message.split(" at line").next().unwrap_or_default().to_owned(),
        None => "not a JSON object with the fields that `frontdesk import --help` lists".to_owned(),
    }
}

fn form_of_csv(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{len} fields, but the header has {expected_len}")
        }
        csv::ErrorKind::Deserialize { err, .. } => match err.kind() {
            csv::DeserializeErrorKind::Message(message) => message.clone(),
            _ => format!("field {} is unreadable", err.field().map_or(0, |field| field + 1)),
        },
        _ => "not CSV in UTF-8".to_owned(),
    }
}

fn print_plan(plan: &[PlannedLine]) {
    let count = |is_it: &dyn Fn(&Plan) -> bool| plan.iter().filter(|line| is_it(&line.becomes)).count();
    let taken = |is_it: fn(&Planned) -> bool| count(&|plan| matches!(plan, Plan::Import(planned) if is_it(planned)));
    say!("{} valid lines", plan.len());
    say!("{:>6} to be booked with Cal.com", taken(|it| it.done.is_none()));
    say!("{:>6} booked, to be assigned", taken(|it| matches!(it.done, Some((_, None)))));
    say!("{:>6} booked and assigned", taken(|it| matches!(it.done, Some((_, Some(_))))));
    for reason in [CANCELLED, PAST] {
        let skipped = count(&|plan| matches!(plan, Plan::Skip(why) if *why == reason));
        say!("{skipped:>6} skipped: {reason}");
    }
    for PlannedLine { number, becomes, .. } in plan {
        if matches!(becomes, Plan::Import(planned) if !planned.contact_is_whole) {
            say!("line {number}: its phone number or email is unreadable and is omitted");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(lines: Vec<Line>) -> Vec<(usize, String)> {
        lines.into_iter().filter_map(|line| Some((line.number, line.row.err()?))).collect()
    }

    #[test]
    fn a_file_of_a_german_spreadsheet_is_read_like_any_other() {
        for text in ["id,start\n1,2026-12-01 10:00\n", "id;start\n1;2026-12-01 10:00\n"] {
            let lines = read_csv(text);
            let row = lines[0].row.as_ref().unwrap();
            assert_eq!((row.id.as_str(), row.start.as_str()), ("1", "2026-12-01 10:00"));
        }
    }

    #[test]
    fn csv_and_json_lines_are_read_alike() {
        let csv = "id,start,service,phone,cancelled\n7,2026-12-01 10:00,Haarschnitt,,\n8,2026-12-01 11:00,\"Farbe\",030 901820,true\n";
        let json = r#"{"id":"7","start":"2026-12-01 10:00","service":"Haarschnitt"}

            {"id":"8","start":"2026-12-01 11:00","service":"Farbe","phone":"030 901820","cancelled":true}"#;
        let told = |lines: Vec<Line>| -> Vec<String> {
            lines.into_iter().map(|line| format!("{:?}", line.row.unwrap())).collect()
        };
        assert_eq!(told(read_csv(csv)), told(read_json_lines(json)));
    }

    #[test]
    fn a_problem_names_its_line_and_quotes_nothing_of_it() {
        let csv = "id,start,cancelled\n7,2026-12-01 10:00,Zwiebel\n8,2026-12-01 11:00\n9,2026-12-01 12:00,\n";
        let found = problems(read_csv(csv));
        assert_eq!(found.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [2, 3]);
        assert!(found.iter().all(|(_, what)| !what.contains("Zwiebel")), "{found:?}");
        let found =
            problems(read_json_lines("{\"id\":\"7\"}\n[]\n{\"id\":\"8\",\"start\":\"x\",\"hair\":\"Zwiebel\"}"));
        assert_eq!(found.len(), 3);
        assert!(found[0].1.contains("start") && found[2].1.contains("hair"), "{found:?}");
        assert!(found.iter().all(|(_, what)| !what.contains("Zwiebel")), "{found:?}");
    }
}
