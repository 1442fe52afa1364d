//! The reason that a person gives for a change: it stands in the audit trail for good.

/// Shorter is no reason that an auditor can do anything with.
const CHARS_MIN: usize = 5;
const CHARS_MAX: usize = 500;

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "say why in {CHARS_MIN} to {CHARS_MAX} characters, for whoever reads the audit trail (this has {0})"
)]
pub struct Unclear(usize);

/// # Errors
/// When it is too short or too long.
pub fn parse(text: &str) -> Result<String, Unclear> {
    let text = text.trim();
    let chars = text.chars().count();
    if (CHARS_MIN..=CHARS_MAX).contains(&chars) {
        Ok(text.to_owned())
    } else {
        Err(Unclear(chars))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_are_no_reason() {
        assert_eq!(parse("  a busy clinic "), Ok("a busy clinic".to_owned()));
        for bad in ["", "      ", "busy", &"x".repeat(501)] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
