//! Words that a voice agent writes where it has nothing to write.

/// Whether a field holds nothing: it is empty, or says in some words that nothing is known.
pub fn is_placeholder(text: &str) -> bool {
    let plain = text.trim().trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    matches!(
        plain.as_str(),
        "" | "n/a"
            | "n.a"
            | "na"
            | "k.a"
            | "ka"
            | "k. a"
            | "none"
            | "null"
            | "nil"
            | "undefined"
            | "unknown"
            | "unbekannt"
            | "not known"
            | "not specified"
            | "not provided"
            | "not given"
            | "not mentioned"
            | "not available"
            | "unspecified"
            | "keine angabe"
            | "keine angaben"
            | "ohne angabe"
            | "nicht angegeben"
            | "nicht genannt"
            | "nicht bekannt"
            | "nicht erwähnt"
            | "nicht verfügbar"
            | "keine"
            | "keiner"
            | "tbd"
            | "empty"
            | "leer"
            | "x"
            | "xxx"
            | "no name"
            | "kein name"
            | "unnamed"
            | "anonym"
            | "anonymous"
            | "user"
            | "caller"
            | "anrufer"
            | "anruferin"
            | "customer"
            | "kunde"
            | "kundin"
            | "not applicable"
            | "nichts"
            | "nothing"
            | "no information"
            | "keine information"
            | "keine informationen"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_nothing_is_told_from_what_does() {
        for text in ["", " ", "-", "N/A", "n.a.", "unbekannt", "Unknown.", "(keine Angabe)", "None", "?", "null"] {
            assert!(is_placeholder(text), "{text}");
        }
        for text in ["Erika", "Nana", "Kain", "egal", "Anna X", "morgen"] {
            assert!(!is_placeholder(text), "{text}");
        }
    }
}
