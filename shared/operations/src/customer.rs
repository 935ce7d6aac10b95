//! What is stored of a customer: found, exported, erased.

use std::collections::BTreeSet;

use chrono::Utc;
use platform::{aws::SdkConfig, bucket::BucketSetupError};
use scheduling::{
    appointment::{Actor, Appointment, StateName},
    contact,
    exchange::Exchange,
    ids::{AppointmentId, BookingUid, CallId, CustomerId, TenantId},
    personal::Personal,
    timing::Timing,
};
use serde_json::{Value, json};
use store::{Appointments, Calls, StoreError, Versioned};

use crate::error::OperationError;

/// The stores that hold data about customers.
pub struct CustomerStores {
    appointments: Appointments,
    /// The calls.
    pub calls: Calls,
}

/// Everything that is stored about one customer.
#[derive(Debug, Clone)]
pub struct Found {
    tenant: TenantId,
    /// Every id of the customer.
    customers: BTreeSet<CustomerId>,
    /// The appointments.
    pub appointments: Vec<Appointment>,
    /// The calls.
    pub calls: BTreeSet<CallId>,
    /// Further calls that requested one of the appointments.
    linked: Vec<(AppointmentId, CallId)>,
    /// Whether others keep what is stored under the same contact.
    shares_contact: bool,
}

impl Found {
    /// What belongs to one person.
    ///
    /// # Errors
    /// If it must be the only one's, and several people share the contact.
    pub fn of(mut self, whose: Whose<'_>) -> Result<Self, Shared> {
        let people = self.people();
        let name = match whose {
            Whose::Everyones => return Ok(self),
            Whose::Only if people.len() > 1 => return Err(Shared(people)),
            Whose::Only => return Ok(self),
            Whose::Of(name) => name.to_owned(),
        };
        let named = contact::Customer { name: Some(Personal::new(name)), ..contact::Customer::default() };
        self.appointments.retain(|appointment| appointment.request.customer.may_be(&named));
        if people.len() > 1 {
            // A call from the number that requested nothing may be anybody's.
            let calls = self.appointments.iter().flat_map(|it| [it.call.clone(), it.call.whole()]);
            self.calls = calls
                .chain(
                    self.linked
                        .iter()
                        .filter(|(id, _)| self.appointments.iter().any(|it| it.id == *id))
                        .map(|(_, call)| call.clone()),
                )
                .collect();
            self.shares_contact = true;
        }
        Ok(self)
    }

    /// A name of each person who has an appointment: the longest of those that may be one person's.
    pub fn people(&self) -> Vec<String> {
        let mut people: Vec<&contact::Customer> = Vec::new();
        let mut customers: Vec<&contact::Customer> = self.appointments.iter().map(|it| &it.request.customer).collect();
        let length = |customer: &contact::Customer| customer.name.as_ref().map_or(0, |name| name.reveal().len());
        customers.sort_by_key(|customer| std::cmp::Reverse(length(customer)));
        for customer in customers.into_iter().filter(|customer| customer.name.is_some()) {
            if !people.iter().any(|known| known.may_be(customer)) {
                people.push(customer);
            }
        }
        people.iter().filter_map(|customer| Some(customer.name.as_ref()?.reveal().clone())).collect()
    }

    /// The bookings that Cal.com goes on storing.
    pub fn bookings(&self) -> impl Iterator<Item = &BookingUid> {
        self.appointments.iter().filter_map(Appointment::booking).map(|booking| &booking.uid)
    }

    /// The appointment that can't be erased now: a worker books it, or Cal.com may hold a booking of it.
    pub fn busy(&self) -> Option<&Appointment> {
        let is_busy = |it: &&Appointment| it.unconfirmed_booking().is_some() || it.state().name() == StateName::Booking;
        self.appointments.iter().find(is_busy)
    }
}

/// Whose data is meant, of those who share a contact.
#[derive(Debug, Clone, Copy)]
pub enum Whose<'a> {
    /// The only one's.
    Only,
    /// That of the person of this name, and what was requested under no name.
    Of(&'a str),
    /// Everybody's.
    Everyones,
}

/// Several people share the contact: these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shared(pub Vec<String>);

impl CustomerStores {
    /// Reads the environment and creates the clients.
    ///
    /// # Errors
    /// If the environment lacks a table or the bucket.
    pub fn from_env(config: &SdkConfig, timing: Timing) -> Result<Self, BucketSetupError> {
        let appointments = Appointments::from_env(config, timing)?;
        Ok(Self { appointments, calls: Calls::from_env(config, timing)? })
    }

    /// Everything that is stored under one id of the customer, and under the further ids that it names.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn find(&self, tenant: &TenantId, by: CustomerId) -> Result<Found, StoreError> {
        let mut found = Found {
            tenant: tenant.clone(),
            customers: BTreeSet::new(),
            appointments: Vec::new(),
            calls: BTreeSet::new(),
            linked: Vec::new(),
            shares_contact: false,
        };
        let mut pending = vec![by];
        while let Some(customer) = pending.pop() {
            if !found.customers.insert(customer.clone()) {
                continue;
            }
            let calls = self.calls.of_customer(&customer).await?;
            // The caller may have given another number.
            let requested = calls.iter().map(|found| match &found.appointment {
                Some(appointment) => appointment.clone(),
                None => AppointmentId::of_call(tenant, &found.call),
            });
            let ids: Vec<_> = self.appointments.of_customer(&customer).await?.into_iter().chain(requested).collect();
            found.calls.extend(calls.into_iter().map(|found| found.call));
            for id in ids {
                let is_known = found.appointments.iter().any(|known| known.id == id);
                // The id of another tenant's customer finds nothing here.
                let is_ours = |stored: &Versioned<Appointment>| stored.value.tenant == *tenant;
                let stored = self.appointments.load(&id).await?.filter(|stored| !is_known && is_ours(stored));
                let Some(Versioned { value: appointment, .. }) = stored else { continue };
                pending.extend(appointment.request.customer.ids(tenant));
                found.calls.extend([appointment.call.clone(), appointment.call.whole()]);
                let linked = self.appointments.linked_calls(&id).await?;
                found.calls.extend(linked.iter().flat_map(|call| [call.clone(), call.whole()]));
                found.linked.extend(linked.into_iter().map(|call| (id.clone(), call)));
                found.appointments.push(appointment);
            }
        }
        Ok(found)
    }

    /// All of it.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn export(&self, found: &Found) -> Result<Value, StoreError> {
        let mut appointments = Vec::new();
        for appointment in &found.appointments {
            let exchanges = self.appointments.exchanges(&appointment.id).await?.into_iter().map(|stored| {
                let Exchange { request, status, body } = stored.exchange;
                json!({"name": stored.name, "request": request, "status": status,
                       "body": String::from_utf8_lossy(&body)})
            });
            appointments.push(json!({"appointment": appointment, "exchanges": exchanges.collect::<Vec<_>>()}));
        }
        let mut calls = Vec::new();
        for call in &found.calls {
            let events = self.calls.events(&found.tenant, call).await?.into_iter();
            let events = events.map(|(name, body)| json!({"event": name, "body": String::from_utf8_lossy(&body)}));
            calls.push(json!({"call": call, "events": events.collect::<Vec<_>>()}));
        }
        Ok(json!({"tenant": found.tenant, "appointments": appointments, "calls": calls}))
    }

    /// Erases everything that was found, the customer index last, so that an interrupted run can be repeated.
    ///
    /// # Errors
    /// [`OperationError::Incomplete`] with the id of an appointment that is busy: nothing more was erased.
    pub async fn erase(&self, found: &Found, by: Actor<'_>) -> Result<(), OperationError> {
        let busy = |busy: &Appointment| OperationError::Incomplete(busy.id.to_string());
        if let Some(unfinished) = found.busy() {
            return Err(busy(unfinished));
        }
        for appointment in &found.appointments {
            if !self.erase_from(appointment, by).await? {
                return Err(busy(appointment));
            }
        }
        for call in &found.calls {
            self.calls.erase_content(&found.tenant, call, Utc::now()).await?;
        }
        let ids: Vec<&AppointmentId> = found.appointments.iter().map(|appointment| &appointment.id).collect();
        for customer in &found.customers {
            if found.shares_contact {
                self.appointments.erase_customer_entries(customer, &ids).await?;
            } else {
                self.appointments.erase_customer_index(customer).await?;
                self.calls.erase_customer_index(customer).await?;
            }
        }
        Ok(())
    }

    /// `false` if a worker holds it.
    async fn erase_from(&self, found: &Appointment, by: Actor<'_>) -> Result<bool, StoreError> {
        loop {
            let Some(stored) = self.appointments.load(&found.id).await? else { return Ok(true) };
            let Versioned { value: mut appointment, version } = stored;
            if appointment.erase_customer(by).is_err() {
                return Ok(false);
            }
            match self.appointments.update(&appointment, version).commit().await {
                Ok(_) => break,
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        self.appointments.erase_related(&found.id).await?;
        Ok(true)
    }
}
