//! The exchanges with Cal.com, stored whole beside the appointment.

use aws_sdk_dynamodb::types::Put;
use scheduling::{exchange::Exchange, ids::AppointmentId};
use serde::{Deserialize, Serialize};

use crate::{
    blob,
    error::StoreError,
    item::{bytes, decode, encode, take_bytes},
    table::Table,
    transaction::{build_put, put},
};

/// The prefix of an exchange's sort key.
pub(crate) const PREFIX: &str = "exchange#";

/// An exchange with Cal.com, to be stored with an appointment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExchangeRecord {
    /// The kind of request, for instance `book`.
    pub request: &'static str,
    /// The request and its response.
    pub exchange: Exchange,
}

/// A stored exchange with Cal.com.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredExchange {
    /// `<version of the appointment>#<number>#<kind of request>`.
    pub name: String,
    /// The request and its response.
    pub exchange: Exchange,
}

#[derive(Serialize, Deserialize)]
struct Part {
    id: AppointmentId,
    item: String,
    name: String,
    #[serde(default)]
    request: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
}

/// The puts of exchanges, named by the appointment's version: attempts stay apart and in order.
pub(crate) fn puts_of(
    table: &str,
    id: &AppointmentId,
    version: u64,
    exchanges: &[ExchangeRecord],
) -> Result<Vec<Put>, StoreError> {
    let mut puts = Vec::new();
    for (nth, ExchangeRecord { request, exchange }) in exchanges.iter().enumerate() {
        let name = format!("{version:06}#{nth:02}#{request}");
        for (at, part) in blob::pack(&exchange.body)?.into_iter().enumerate() {
            let mut item = encode(&Part {
                id: id.clone(),
                item: format!("{PREFIX}{name}#{at:03}"),
                name: name.clone(),
                request: if at == 0 { exchange.request.clone() } else { String::new() },
                status: exchange.status,
            })?;
            item.insert("part".to_owned(), bytes(part));
            puts.push(build_put(put(table, item))?);
        }
    }
    Ok(puts)
}

/// The size of an exchange's put, in bytes.
pub(crate) fn size_of(put: &Put) -> usize {
    put.item.get("part").and_then(|part| part.as_b().ok()).map_or(0, |part| part.as_ref().len())
}

/// Every exchange that is stored with an appointment, in order.
pub(crate) async fn load(table: &Table, id: &AppointmentId) -> Result<Vec<StoredExchange>, StoreError> {
    let mut grouped: Vec<(Part, Vec<Vec<u8>>)> = Vec::new();
    for mut item in table.query(id.as_str(), PREFIX).await? {
        let bytes = take_bytes(&mut item, "part")?;
        let part: Part = decode(item)?;
        match grouped.last_mut() {
            Some((last, parts)) if last.name == part.name => parts.push(bytes),
            _ => grouped.push((part, vec![bytes])),
        }
    }
    let whole = |(part, parts): (Part, Vec<Vec<u8>>)| {
        let exchange = Exchange { request: part.request, status: part.status, body: blob::unpack(&parts)? };
        Ok(StoredExchange { name: part.name, exchange })
    };
    grouped.into_iter().map(whole).collect()
}
