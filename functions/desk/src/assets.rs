//! The stylesheet and the script. Their URLs change with their content, so that browsers keep them for good.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};

/// The stylesheet.
pub const STYLE: &str = include_str!("../assets/desk.css");
/// The icon.
pub const ICON: &str = include_str!("../assets/desk.svg");
/// The script. Every action works without it.
pub const SCRIPT: &str = include_str!("../assets/desk.js");

/// The URL of the stylesheet.
pub static STYLE_URL: LazyLock<String> = LazyLock::new(|| url("/desk.css", STYLE));
/// The URL of the script.
pub static SCRIPT_URL: LazyLock<String> = LazyLock::new(|| url("/desk.js", SCRIPT));

/// The URL of the icon.
pub static ICON_URL: LazyLock<String> = LazyLock::new(|| url("/desk.svg", ICON));

fn url(path: &str, content: &str) -> String {
    format!("{path}?{}", hex::encode(&Sha256::digest(content.as_bytes())[..6]))
}
