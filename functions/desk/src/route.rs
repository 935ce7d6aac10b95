//! Which page or action a path is. One table, which a test walks with every role.

use http::Method;
use scheduling::ids::{AppointmentId, CustomerId, HostId, TenantId};

/// A page or an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// Where a person begins.
    Start,
    /// The stylesheet.
    Style,
    /// The script.
    Script,
    /// The icon.
    Icon,
    /// To the sign-in of the user pool.
    SignIn,
    /// Back from there.
    SignedIn,
    /// End this session.
    SignOut,
    /// End every session of this person.
    SignOutEverywhere,
    /// Switch between German and English.
    Language,
    /// Something of one tenant.
    Tenant(TenantId, TenantRoute),
    /// Something of the agency.
    System(SystemRoute),
}

/// Something of one tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TenantRoute {
    /// What waits for a person.
    ToDo,
    /// One to-do alone, for the link in the mail.
    OneToDo(AppointmentId),
    /// A day.
    Day,
    /// A week.
    Week,
    /// Search.
    Search,
    /// What was searched.
    Found,
    /// Close past appointments.
    CleanUp,
    /// Who is who at Cal.com.
    Team,
    /// Say who a host is.
    MapHost(HostId),
    /// Retry several at once.
    RetryAll,
    /// How well it works.
    Quality,
    /// Who may sign in.
    People,
    /// Invite somebody.
    Invite,
    /// Withdraw somebody's access.
    Withdraw,
    /// One appointment.
    Appointment(AppointmentId),
    /// The call and what Cal.com answered.
    Evidence(AppointmentId),
    /// Ask something before an action.
    Ask(AppointmentId, Question),
    /// Do something with it.
    Act(AppointmentId, Deed),
    /// One customer.
    Customer(CustomerId),
    /// Ask before a customer is erased.
    AskErase(CustomerId),
    /// Erase a customer.
    Erase(CustomerId),
    /// Export a customer.
    Export(CustomerId),
}

/// What is asked before an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// When, among the free slots.
    Time,
    /// Whether to cancel.
    Cancel,
    /// Why to close.
    Close,
    /// Who does it.
    Staff,
}

/// What a person does with an appointment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Have it booked.
    Book,
    /// Have it attempted once more.
    Retry,
    /// Say who does it.
    Assign,
    /// Move it.
    Move,
    /// Cancel it.
    Cancel,
    /// Say that the customer was called.
    CalledBack,
    /// Say that nobody answered.
    NotReached,
    /// Say that Cal.com holds no booking.
    NotBooked,
    /// Close it.
    Close,
    /// Note something.
    Note,
}

/// Something of the agency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SystemRoute {
    /// All tenants.
    Overview,
    /// Form to add a tenant.
    NewTenant,
    /// Form to edit a tenant.
    EditTenant(TenantId),
    /// Check and load a tenant.
    LoadTenant,
    /// Ask now whether the key of a tenant's account works again.
    Resume(TenantId),
    /// Redrive dead letters.
    Redrive,
    /// Who may sign in to every tenant.
    People,
    /// Invite somebody of the agency.
    Invite,
    /// Withdraw the access of somebody of the agency.
    Withdraw,
}

/// Every route: its method, and its path with names in the place of ids.
pub const ROUTES: [(&str, &str); 52] = [
    ("GET", "/"),
    ("GET", "/desk.css"),
    ("GET", "/desk.js"),
    ("GET", "/desk.svg"),
    ("GET", "/sign-in"),
    ("GET", "/signed-in"),
    ("POST", "/sign-out"),
    ("POST", "/sign-out-everywhere"),
    ("POST", "/language"),
    ("GET", "/system"),
    ("GET", "/system/tenants"),
    ("GET", "/system/tenants/{tenant}"),
    ("POST", "/system/tenants"),
    ("POST", "/system/tenants/{tenant}/resume"),
    ("POST", "/system/redrive"),
    ("GET", "/system/people"),
    ("POST", "/system/people"),
    ("POST", "/system/people/withdraw"),
    ("GET", "/s/{tenant}/todo"),
    ("GET", "/s/{tenant}/todo/{appointment}"),
    ("GET", "/s/{tenant}/day"),
    ("GET", "/s/{tenant}/week"),
    ("GET", "/s/{tenant}/search"),
    ("POST", "/s/{tenant}/search"),
    ("POST", "/s/{tenant}/clean-up"),
    ("GET", "/s/{tenant}/team"),
    ("POST", "/s/{tenant}/hosts/{host}"),
    ("POST", "/s/{tenant}/retry"),
    ("GET", "/s/{tenant}/quality"),
    ("GET", "/s/{tenant}/people"),
    ("POST", "/s/{tenant}/people"),
    ("POST", "/s/{tenant}/people/withdraw"),
    ("GET", "/s/{tenant}/appointments/{appointment}"),
    ("GET", "/s/{tenant}/appointments/{appointment}/evidence"),
    ("GET", "/s/{tenant}/appointments/{appointment}/time"),
    ("GET", "/s/{tenant}/appointments/{appointment}/cancel"),
    ("GET", "/s/{tenant}/appointments/{appointment}/close"),
    ("GET", "/s/{tenant}/appointments/{appointment}/staff"),
    ("POST", "/s/{tenant}/appointments/{appointment}/book"),
    ("POST", "/s/{tenant}/appointments/{appointment}/retry"),
    ("POST", "/s/{tenant}/appointments/{appointment}/assign"),
    ("POST", "/s/{tenant}/appointments/{appointment}/move"),
    ("POST", "/s/{tenant}/appointments/{appointment}/cancel"),
    ("POST", "/s/{tenant}/appointments/{appointment}/called-back"),
    ("POST", "/s/{tenant}/appointments/{appointment}/not-reached"),
    ("POST", "/s/{tenant}/appointments/{appointment}/not-booked"),
    ("POST", "/s/{tenant}/appointments/{appointment}/close"),
    ("POST", "/s/{tenant}/appointments/{appointment}/note"),
    ("GET", "/s/{tenant}/customers/{customer}"),
    ("POST", "/s/{tenant}/customers/{customer}/export"),
    ("GET", "/s/{tenant}/customers/{customer}/erase"),
    ("POST", "/s/{tenant}/customers/{customer}/erase"),
];

impl Route {
    /// The route of a path. `None` if there is none.
    pub fn parse(method: &Method, path: &str) -> Option<Self> {
        let is_post = match *method {
            Method::GET | Method::HEAD => false,
            Method::POST => true,
            _ => return None,
        };
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        Some(match (is_post, parts.as_slice()) {
            (false, [""]) => Self::Start,
            (false, ["desk.css"]) => Self::Style,
            (false, ["desk.js"]) => Self::Script,
            (false, ["desk.svg"]) => Self::Icon,
            (false, ["sign-in"]) => Self::SignIn,
            (false, ["signed-in"]) => Self::SignedIn,
            (true, ["sign-out"]) => Self::SignOut,
            (true, ["sign-out-everywhere"]) => Self::SignOutEverywhere,
            (true, ["language"]) => Self::Language,
            (_, ["system", rest @ ..]) => Self::System(SystemRoute::parse(is_post, rest)?),
            (_, ["s", tenant, rest @ ..]) => Self::Tenant(TenantId::new(*tenant), TenantRoute::parse(is_post, rest)?),
            _ => return None,
        })
    }
}

impl SystemRoute {
    fn parse(is_post: bool, parts: &[&str]) -> Option<Self> {
        Some(match (is_post, parts) {
            (false, []) => Self::Overview,
            (false, ["tenants"]) => Self::NewTenant,
            (false, ["tenants", tenant]) => Self::EditTenant(TenantId::new(*tenant)),
            (true, ["tenants"]) => Self::LoadTenant,
            (true, ["tenants", tenant, "resume"]) => Self::Resume(TenantId::new(*tenant)),
            (true, ["redrive"]) => Self::Redrive,
            (false, ["people"]) => Self::People,
            (true, ["people"]) => Self::Invite,
            (true, ["people", "withdraw"]) => Self::Withdraw,
            _ => return None,
        })
    }
}

impl TenantRoute {
    fn parse(is_post: bool, parts: &[&str]) -> Option<Self> {
        Some(match (is_post, parts) {
            (false, ["todo"]) => Self::ToDo,
            (false, ["todo", id]) => Self::OneToDo(AppointmentId::new(*id)),
            (false, ["day"]) => Self::Day,
            (false, ["week"]) => Self::Week,
            (false, ["search"]) => Self::Search,
            (true, ["search"]) => Self::Found,
            (true, ["clean-up"]) => Self::CleanUp,
            (false, ["team"]) => Self::Team,
            (true, ["hosts", host]) => Self::MapHost(HostId(host.parse().ok()?)),
            (true, ["retry"]) => Self::RetryAll,
            (false, ["quality"]) => Self::Quality,
            (false, ["people"]) => Self::People,
            (true, ["people"]) => Self::Invite,
            (true, ["people", "withdraw"]) => Self::Withdraw,
            (false, ["appointments", id]) => Self::Appointment(AppointmentId::new(*id)),
            (false, ["appointments", id, "evidence"]) => Self::Evidence(AppointmentId::new(*id)),
            (false, ["appointments", id, asked]) => Self::Ask(AppointmentId::new(*id), Question::parse(asked)?),
            (true, ["appointments", id, deed]) => Self::Act(AppointmentId::new(*id), Deed::parse(deed)?),
            (false, ["customers", id]) => Self::Customer(CustomerId::parse(id)?),
            (false, ["customers", id, "erase"]) => Self::AskErase(CustomerId::parse(id)?),
            (true, ["customers", id, "erase"]) => Self::Erase(CustomerId::parse(id)?),
            (true, ["customers", id, "export"]) => Self::Export(CustomerId::parse(id)?),
            _ => return None,
        })
    }
}

impl Question {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "time" => Self::Time,
            "cancel" => Self::Cancel,
            "close" => Self::Close,
            "staff" => Self::Staff,
            _ => return None,
        })
    }
}

impl Deed {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "book" => Self::Book,
            "retry" => Self::Retry,
            "assign" => Self::Assign,
            "move" => Self::Move,
            "cancel" => Self::Cancel,
            "called-back" => Self::CalledBack,
            "not-reached" => Self::NotReached,
            "not-booked" => Self::NotBooked,
            "close" => Self::Close,
            "note" => Self::Note,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(path: &str) -> String {
        let path = path.replace("{tenant}", "salon").replace("{host}", "7");
        let id = "8c3c3b3e-6c0e-5c3e-9d53-0c1e3f3b7a11";
        path.replace("{appointment}", id).replace("{customer}", id)
    }

    #[test]
    fn every_route_of_the_table_exists_and_no_two_are_the_same() {
        let routes: Vec<Route> = ROUTES
            .iter()
            .map(|(method, path)| Route::parse(&method.parse().unwrap(), &filled(path)).expect(path))
            .collect();
        for (nth, route) in routes.iter().enumerate() {
            assert!(!routes[nth + 1..].contains(route), "{route:?}");
        }
    }

    #[test]
    fn what_is_no_route_is_none() {
        for (method, path) in [
            (Method::POST, "/s/salon/todo"),
            (Method::PUT, "/"),
            (Method::GET, "/s/salon/appointments/x/book"),
            (Method::GET, "/s/salon/customers/Lindner"),
            (Method::POST, "/s/salon/hosts/x"),
            (Method::GET, "/../etc"),
        ] {
            assert_eq!(Route::parse(&method, path), None, "{method} {path}");
        }
    }
}
