//! Which appointments a customer has.
//!
//! Each appointment is written down under each way to reach its customer, by its start and service. That is how a second
//! call for the same is seen, and how all of a customer's data is found again.

use aws_sdk_dynamodb::types::{Put, ReturnValuesOnConditionCheckFailure};
use scheduling::{
    appointment::Appointment,
    ids::{AppointmentId, CustomerId},
};
use serde::Deserialize;

use super::{
    Item, StoreError,
    appointments::{Appointments, built},
    read, text,
};

/// How an appointment is written down among its customer's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pointers {
    /// As the one for its start and service, if there is none yet.
    IfFree,
    /// As the one for its start and service in place of another, which no longer counts.
    InPlaceOf(AppointmentId),
    /// Beside the one for its start and service, which is another person's.
    Beside,
}

/// What a call asks for, as it is written down.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The appointment.
    pub appointment: &'a Appointment,
    /// The ways to reach its customer.
    pub customers: &'a [CustomerId],
    /// What is asked for: start and service. `None` where either is not known.
    pub what: Option<&'a str>,
}

/// The puts that write an appointment down under each of its customer's ids. Those that are refused hold the appointment
/// that is there already.
pub(super) fn puts_of(asked: &Asked<'_>, how: &Pointers, table: &str) -> Result<Vec<Put>, StoreError> {
    let own = asked.appointment.id.as_str();
    let put = |customer: &CustomerId| {
        let (name, condition) = match (asked.what, how) {
            (Some(what), Pointers::IfFree | Pointers::InPlaceOf(_)) => {
                (what.to_owned(), "attribute_not_exists(id) OR appointment IN (:own, :before)")
            }
            (what, _) => {
                (format!("{}#{own}", what.unwrap_or_default()), "attribute_not_exists(id) OR appointment = :own")
            }
        };
        let item = Item::from([
            ("id".to_owned(), text(key_of(customer))),
            ("item".to_owned(), text(name)),
            ("appointment".to_owned(), text(own)),
        ]);
        let put = Put::builder()
            .table_name(table)
            .set_item(Some(item))
            .condition_expression(condition)
            .expression_attribute_values(":own", text(own))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let before = match how {
            Pointers::InPlaceOf(before) => before.as_str(),
            Pointers::IfFree | Pointers::Beside => own,
        };
        built(if condition.contains(":before") {
            put.expression_attribute_values(":before", text(before))
        } else {
            put
        })
    };
    asked.customers.iter().map(put).collect()
}

impl Appointments {
    /// The appointments of a customer, oldest start first, each once.
    ///
    /// # Errors
    /// When the store does not answer, or holds another form.
    pub async fn of_customer(&self, customer: &CustomerId) -> Result<Vec<AppointmentId>, StoreError> {
        self.pointed_to(customer, None).await
    }

    /// The appointments of a customer for one service and start: several, where several people share a contact.
    ///
    /// # Errors
    /// When the store does not answer, or holds another form.
    pub async fn of_customer_for(&self, customer: &CustomerId, what: &str) -> Result<Vec<AppointmentId>, StoreError> {
        self.pointed_to(customer, Some(what)).await
    }

    async fn pointed_to(&self, customer: &CustomerId, what: Option<&str>) -> Result<Vec<AppointmentId>, StoreError> {
        #[derive(Deserialize)]
        struct Pointer {
            appointment: AppointmentId,
        }
        let mut found: Vec<AppointmentId> = Vec::new();
        for item in self.items_under(&key_of(customer), what).await? {
            let Pointer { appointment } = read(item)?;
            if !found.contains(&appointment) {
                found.push(appointment);
            }
        }
        Ok(found)
    }

    /// Deletes which appointments a customer has, and answers how many items that was.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn forget_customer(&self, customer: &CustomerId) -> Result<usize, StoreError> {
        self.delete_all(self.items_under(&key_of(customer), None).await?).await
    }
}

/// The partition of a customer, in the table of appointments and in that of calls.
pub(super) fn key_of(customer: &CustomerId) -> String {
    format!("customer#{customer}")
}
