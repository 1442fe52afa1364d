//! Codes of earlier releases that can be billed no more: `data/retired_codes.tsv`.

use std::{fmt, sync::LazyLock};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Successors that a sentence names.
const NAMED_MAX: usize = 4;

static CODES: LazyLock<Vec<Retired>> = LazyLock::new(|| {
    include_str!("../../data/retired_codes.tsv")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(Retired::parse)
        .collect()
});

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Retired {
    pub code: String,
    /// Its last title.
    pub title: String,
    /// The first day on which it could not be billed, such as `2021-10-01`.
    pub since: String,
    /// Whether the successors are drawn from the codes below it, as CMS's conversion table has none.
    pub derived: bool,
    pub successors: Vec<String>,
}

impl Retired {
    fn parse(line: &str) -> Option<Self> {
        let mut columns = line.split('\t');
        let mut next = || columns.next().map(str::to_owned);
        let (code, title, since, basis) = (next()?, next()?, next()?, next()?);
        Some(Self {
            code,
            title,
            since,
            derived: basis == "derived",
            successors: next()?
                .split(',')
                .filter(|code| !code.is_empty())
                .map(str::to_owned)
                .collect(),
        })
    }
}

/// `T40.7X1A was retired on 2021-10-01: use T40.711A (CMS conversion table)`.
impl fmt::Display for Retired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} was retired on {}", self.code, self.since)?;
        if self.successors.is_empty() {
            return Ok(());
        }
        let named = self.successors.len().min(NAMED_MAX);
        write!(f, ": use {}", self.successors[..named].join(", "))?;
        if self.successors.len() > named {
            write!(f, " or {} more", self.successors.len() - named)?;
        }
        f.write_str(if self.derived {
            " (drawn from the codes below it)"
        } else {
            " (CMS conversion table)"
        })
    }
}

/// The retired code, with or without its dot, in any case.
#[must_use]
pub fn find(code: &str) -> Option<&'static Retired> {
    let bare = |code: &str| -> String {
        code.chars()
            .filter(char::is_ascii_alphanumeric)
            .map(|c| c.to_ascii_uppercase())
            .collect()
    };
    let wanted = bare(code);
    CODES.iter().find(|retired| bare(&retired.code) == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retired_code_says_since_when_and_what_to_use() {
        let cannabis = find("t407x1a").expect("it is in the list");
        assert_eq!(
            cannabis.to_string(),
            "T40.7X1A was retired on 2021-10-01: use T40.711A (CMS conversion table)"
        );
        let pain = find("M54.5").expect("it is in the list");
        assert_eq!(pain.successors, ["M54.50", "M54.51", "M54.59"]);
        assert!(find("C83.39").expect("it is in the list").derived);
    }

    #[test]
    fn codes_in_use_and_nonsense_are_not_retired() {
        for code in ["M54.50", "I10", "", "…", "M54"] {
            assert!(find(code).is_none(), "{code}");
        }
    }
}
