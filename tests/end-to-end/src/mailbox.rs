//! The mail that the local stack sent: a mail server keeps it as files.

use std::fs;

use base64::{Engine, prelude::BASE64_STANDARD};

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
    let texts = files.filter_map(|file| fs::read_to_string(file.ok()?.path()).ok());
    texts.filter(|text| header(text, "To").contains(address)).map(|text| parse(&text)).collect()
}

fn parse(text: &str) -> Mail {
    let (_, part) = text.split_once("Content-Transfer-Encoding: base64").expect("a body in base64");
    let (_, encoded) = part.split_once("\n\n").expect("a body after the headers");
    let encoded: String = encoded.lines().take_while(|line| !line.is_empty() && !line.starts_with("--")).collect();
    let body = BASE64_STANDARD.decode(encoded).expect("base64");
    Mail { subject: header(text, "Subject"), body: String::from_utf8(body).expect("UTF-8") }
}

fn header(text: &str, name: &str) -> String {
    let start = format!("{name}: ");
    text.lines().find_map(|line| line.strip_prefix(&start)).unwrap_or_default().to_owned()
}
