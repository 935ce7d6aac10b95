//! The customer index: which appointments and calls a customer has.
//!
//! Each appointment has an entry under each id of its customer, by start and service. It shows that a second call
//! requests the same appointment, and finds all data of a customer.

use aws_sdk_dynamodb::types::{Put, ReturnValuesOnConditionCheckFailure};
use scheduling::{
    appointment::Appointment,
    duplicate::{Duplicate, judge},
    ids::{AppointmentId, CustomerId},
};
use serde::Deserialize;

use crate::{
    appointments::Appointments,
    error::StoreError,
    item::{Item, decode, text},
    transaction::{Transaction, TransactionError, build_put, is_condition_failed, put},
};

/// How a new appointment claims its start and service in the customer index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SlotClaim {
    /// As the only one, if there is none yet.
    IfVacant,
    /// As the only one, in place of another that is closed.
    Replacing(AppointmentId),
    /// Beside another one, which belongs to another person.
    Beside,
}

/// A new appointment, with its entries in the customer index.
#[derive(Debug, Clone, Copy)]
pub struct NewAppointment<'a> {
    /// The appointment.
    pub appointment: &'a Appointment,
    /// The ids of its customer.
    pub customers: &'a [CustomerId],
    /// Start and service. `None` if either is unknown.
    pub dedup_key: Option<&'a str>,
}

/// An entry in the customer index.
#[derive(Deserialize)]
struct Entry {
    appointment: AppointmentId,
}

/// The appointment in an entry.
pub(crate) fn appointment_in(item: Item) -> Result<AppointmentId, StoreError> {
    decode::<Entry>(item).map(|entry| entry.appointment)
}

/// The puts of a new appointment's entries. One that is refused returns the entry that exists.
pub(crate) fn puts_of(new: &NewAppointment<'_>, claim: &SlotClaim, table: &str) -> Result<Vec<Put>, StoreError> {
    let own = new.appointment.id.as_str();
    let replaced = match claim {
        SlotClaim::IfVacant => Some(own),
        SlotClaim::Replacing(closed) => Some(closed.as_str()),
        SlotClaim::Beside => None,
    };
    let put_entry = |customer: &CustomerId| {
        let only = new.dedup_key.zip(replaced);
        let name = match only {
            Some((dedup_key, _)) => dedup_key.to_owned(),
            None => format!("{}#{own}", new.dedup_key.unwrap_or_default()),
        };
        let item = Item::from([
            ("id".to_owned(), text(key_of(customer))),
            ("item".to_owned(), text(name)),
            ("appointment".to_owned(), text(own)),
        ]);
        let put = put(table, item)
            .expression_attribute_values(":own", text(own))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        build_put(match only {
            Some((_, replaced)) => put
                .condition_expression("attribute_not_exists(id) OR appointment IN (:own, :replaced)")
                .expression_attribute_values(":replaced", text(replaced)),
            None => put.condition_expression("attribute_not_exists(id) OR appointment = :own"),
        })
    };
    new.customers.iter().map(put_entry).collect()
}

impl Appointments {
    /// Enters an appointment whose start or service is changed, before that is stored. Returns the appointment that the
    /// customer has for the same already; then nothing was entered.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn enter(&self, entries: &NewAppointment<'_>) -> Result<Option<AppointmentId>, StoreError> {
        let Some(holder) = self.claim(entries, &SlotClaim::IfVacant).await? else { return Ok(None) };
        let existing = self.load(&holder).await?.map(|stored| stored.value);
        if judge(existing.as_ref(), entries.appointment) == Duplicate::Same {
            return Ok(Some(holder));
        }
        self.claim(entries, &SlotClaim::Beside).await
    }

    /// Writes the entries, or returns the appointment that holds one of them.
    async fn claim(
        &self,
        entries: &NewAppointment<'_>,
        claim: &SlotClaim,
    ) -> Result<Option<AppointmentId>, StoreError> {
        let mut transaction = Transaction::default();
        puts_of(entries, claim, &self.table.name)?.into_iter().for_each(|put| transaction.put(put));
        if transaction.is_empty() {
            return Ok(None);
        }
        match transaction.commit_with_retries(&self.table.client).await {
            Ok(()) => Ok(None),
            Err(TransactionError::Cancelled(reasons)) => {
                let held = reasons.iter().find(|reason| is_condition_failed(reason));
                let item = held.and_then(|reason| reason.item.clone()).ok_or(StoreError::Conflict)?;
                appointment_in(item).map(Some)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The appointments of a customer, oldest start first, each once.
    ///
    /// # Errors
    /// If DynamoDB fails, or an item can't be decoded.
    pub async fn of_customer(&self, customer: &CustomerId) -> Result<Vec<AppointmentId>, StoreError> {
        self.of_customer_for(customer, "").await
    }

    /// The appointments of a customer for one start and service: several, if several people share a contact.
    ///
    /// # Errors
    /// If DynamoDB fails, or an item can't be decoded.
    pub async fn of_customer_for(
        &self,
        customer: &CustomerId,
        dedup_key: &str,
    ) -> Result<Vec<AppointmentId>, StoreError> {
        let mut found: Vec<AppointmentId> = Vec::new();
        for item in self.table.query(&key_of(customer), dedup_key).await? {
            if !self.table.sort_key(&item).is_some_and(|name| is_for(name, dedup_key)) {
                continue;
            }
            let appointment = appointment_in(item)?;
            if !found.contains(&appointment) {
                found.push(appointment);
            }
        }
        Ok(found)
    }

    /// Deletes a customer's entries of these appointments: others share the contact, and keep theirs.
    ///
    /// # Errors
    /// If DynamoDB fails, or an item can't be decoded.
    pub async fn erase_customer_entries(
        &self,
        customer: &CustomerId,
        appointments: &[&AppointmentId],
    ) -> Result<usize, StoreError> {
        let mut entries = Vec::new();
        for item in self.table.query(&key_of(customer), "").await? {
            if appointments.contains(&&appointment_in(item.clone())?) {
                entries.push(item);
            }
        }
        self.table.delete_all(entries).await
    }

    /// Deletes a customer's entries, and returns how many there were.
    ///
    /// # Errors
    /// If DynamoDB fails.
    pub async fn erase_customer_index(&self, customer: &CustomerId) -> Result<usize, StoreError> {
        self.table.delete_all(self.table.query(&key_of(customer), "").await?).await
    }
}

/// Whether an entry is for a start and service, alone or beside others. Everything is for none in particular.
fn is_for(name: &str, dedup_key: &str) -> bool {
    let rest = name.strip_prefix(dedup_key);
    rest.is_some_and(|rest| dedup_key.is_empty() || rest.is_empty() || rest.starts_with('#'))
}

/// The partition of a customer, in the appointments table and in the calls table.
pub(crate) fn key_of(customer: &CustomerId) -> String {
    format!("customer#{customer}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_found_for_its_own_service_and_not_for_one_whose_name_begins_alike() {
        let key = "2026-12-01T09:00Z#color";
        assert!(is_for(key, key) && is_for("2026-12-01T09:00Z#color#appointment", key) && is_for(key, ""));
        assert!(!is_for("2026-12-01T09:00Z#color-long", key) && !is_for("2026-12-01T09:00Z#cut", key));
    }
}
