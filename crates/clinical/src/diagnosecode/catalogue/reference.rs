//! The codes that a note names: `type 2 diabetes mellitus (E11.-)`, `(N18.1-N18.6, N18.9)`.

/// A range of codes, both ends with everything below them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    pub first: String,
    pub last: String,
}

impl Reference {
    #[must_use]
    pub fn holds(&self, code: &str) -> bool {
        let upto = |end: &str| {
            code.get(..end.len().min(code.len()))
                .unwrap_or(code)
                .to_owned()
        };
        let (low, high) = (upto(&self.first), upto(&self.last));
        low.as_str() >= self.first.as_str() && high.as_str() <= self.last.as_str()
    }

    /// What a person would look up: the code, or the category that both ends share.
    #[must_use]
    pub fn common(&self) -> Option<&str> {
        if self.first == self.last {
            return Some(&self.first);
        }
        let category = self.first.get(..3)?;
        self.last.starts_with(category).then_some(category)
    }
}

/// The references of a note, in order.
#[must_use]
pub fn parse(note: &str) -> Vec<Reference> {
    let mut found = Vec::new();
    for part in note.split('(').skip(1) {
        let inside = part.split(')').next().unwrap_or_default();
        for item in inside.split([',', ';']) {
            for word in item.split_whitespace() {
                found.extend(range(word));
            }
        }
    }
    found
}

/// `E11.-`, `N18.1-N18.6`, `Z79.84`; anything else is no reference.
fn range(word: &str) -> Option<Reference> {
    let (first, last) = match word.split_once('-') {
        Some((first, "")) => (first, first),
        Some((first, last)) => (first, last.trim_end_matches('-')),
        None => (word, word),
    };
    let (first, last) = (first.trim_end_matches('.'), last.trim_end_matches('.'));
    (is_code(first) && is_code(last)).then(|| Reference {
        first: first.to_owned(),
        last: last.to_owned(),
    })
}

fn is_code(text: &str) -> bool {
    let bytes = text.as_bytes();
    let shape = bytes.len() >= 3
        && bytes[0].is_ascii_uppercase()
        && bytes[1].is_ascii_digit()
        && bytes[2].is_ascii_alphanumeric()
        && (bytes.len() == 3 || (bytes[3] == b'.' && bytes.len() > 4));
    shape
        && bytes
            .iter()
            .skip(4)
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(note: &str, code: &str) -> bool {
        parse(note).iter().any(|reference| reference.holds(code))
    }

    #[test]
    fn a_note_holds_the_codes_that_it_names_and_what_is_below_them() {
        for (note, code, expected) in [
            ("type 2 diabetes mellitus (E11.-)", "E11.9", true),
            ("type 2 diabetes mellitus (E11.-)", "E10.9", false),
            (
                "stage of chronic kidney disease (N18.1-N18.6)",
                "N18.30",
                true,
            ),
            (
                "stage of chronic kidney disease (N18.1-N18.6)",
                "N18.9",
                false,
            ),
            ("burns and corrosions (T20-T32)", "T25.011A", true),
            ("long-term use of insulin (Z79.4)", "Z79.4", true),
            ("sepsis (A40-A41.9)", "A41.51", true),
            ("headache NOS (R51.9), migraine (G43.-)", "G43.909", true),
            ("code first any associated condition", "I10", false),
            ("a (NOS) or (see I10-)", "I10", true),
            ("", "I10", false),
        ] {
            assert_eq!(holds(note, code), expected, "{note} / {code}");
        }
    }

    #[test]
    fn what_is_no_code_is_no_reference() {
        for note in [
            "(acute)",
            "(NOS)",
            "(COVID-19)",
            "(type 2-)",
            "(é1é)",
            "(A)",
        ] {
            assert_eq!(parse(note), [], "{note}");
        }
    }
}
