//! The mail that the local stack sent: a mail server keeps it as files.

use std::fs;

use mail_parser::MessageParser;

use crate::variable;

/// A mail that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The subject.
    pub subject: String,
    /// The body.
    pub body: String,
}

/// Every mail to this address so far.
pub fn mails_to(address: &str) -> Vec<Mail> {
    let Ok(files) = fs::read_dir(format!("{}/new", variable("MAIL_DIRECTORY"))) else { return Vec::new() };
    let contents = files.filter_map(|file| fs::read(file.ok()?.path()).ok());
    contents.filter_map(|content| parse(&content, address)).collect()
}

/// The mail, if it is to this address.
fn parse(content: &[u8], address: &str) -> Option<Mail> {
    let message = MessageParser::default().parse(content)?;
    message.to()?.contains(address).then_some(())?;
    Some(Mail { subject: message.subject()?.to_owned(), body: message.body_text(0)?.into_owned() })
}
