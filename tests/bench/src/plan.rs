//! What is to be measured, as `tests/run bench` hands it over.

use std::{collections::BTreeMap, fs, path::PathBuf};

use serde::Deserialize;
use serde_json::Value;

/// The binaries, the peers, and the tables of the template.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// `AWS::DynamoDB::Table` by its name in the template, as `CreateTable` takes it.
    pub tables: BTreeMap<String, Value>,
    /// What starts, by its name: functions, peers, and the floor.
    pub contenders: BTreeMap<String, Contender>,
    /// The operator's command.
    pub operator: PathBuf,
    /// The tenant that is called.
    pub tenant: PathBuf,
    /// Its services at Cal.com.
    pub event_types: PathBuf,
    /// One of its calls.
    pub call: PathBuf,
    /// The system's certificates, to which the bench adds its own, as a function on AWS has them.
    pub certificates: PathBuf,
    /// How many resources of the template cost something each month, by what they are.
    pub counted: BTreeMap<String, f64>,
    /// Where the JSON goes.
    pub results: PathBuf,
    /// Where it may write.
    pub scratch: PathBuf,
}

/// One binary, or one peer.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contender {
    /// What starts it.
    pub command: Vec<String>,
    /// What it needs in its environment beside what all get.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// The bytes of its package, zipped.
    pub zipped: u64,
}

impl Plan {
    /// Reads the plan from its file.
    pub fn read(path: &PathBuf) -> Self {
        let text = fs::read_to_string(path).expect("tests/run bench writes the plan");
        serde_json::from_str(&text).expect("the plan has its form")
    }

    /// The contender of this name.
    pub fn contender(&self, name: &str) -> &Contender {
        self.contenders.get(name).unwrap_or_else(|| panic!("the plan has no {name}"))
    }
}
