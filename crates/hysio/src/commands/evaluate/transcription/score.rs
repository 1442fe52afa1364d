//! Word errors: the fewest substitutions, deletions and insertions that turn the reference into what was heard.

use std::ops::Add;

use serde::Serialize;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Errors {
    /// Words of the reference.
    pub words: usize,
    pub substitutions: usize,
    pub deletions: usize,
    pub insertions: usize,
}

impl Errors {
    /// The word error rate; nothing without a reference word.
    pub fn rate(self) -> Option<f64> {
        (self.words > 0).then(|| self.total() as f64 / self.words as f64)
    }

    fn total(self) -> usize {
        self.substitutions + self.deletions + self.insertions
    }
}

impl Add for Errors {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            words: self.words + other.words,
            substitutions: self.substitutions + other.substitutions,
            deletions: self.deletions + other.deletions,
            insertions: self.insertions + other.insertions,
        }
    }
}

/// Wagner and Fischer's alignment, a row of the table at a time.
pub fn errors(reference: &[String], heard: &[String]) -> Errors {
    let insertion = |of: Errors| Errors {
        insertions: of.insertions + 1,
        ..of
    };
    let mut row = vec![Errors::default(); heard.len() + 1];
    for at in 1..row.len() {
        row[at] = insertion(row[at - 1]);
    }
    for word in reference {
        let mut diagonal = row[0];
        row[0].deletions += 1;
        for (at, other) in heard.iter().enumerate() {
            let above = row[at + 1];
            row[at + 1] = if word == other {
                diagonal
            } else {
                let substituted = Errors {
                    substitutions: diagonal.substitutions + 1,
                    ..diagonal
                };
                let deleted = Errors {
                    deletions: above.deletions + 1,
                    ..above
                };
                [substituted, deleted, insertion(row[at])]
                    .into_iter()
                    .min_by_key(|it| it.total())
                    .unwrap_or_default()
            };
            diagonal = above;
        }
    }
    Errors {
        words: reference.len(),
        ..row[heard.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_error_is_counted() {
        let check = |reference: &str, heard: &str, expected: (usize, usize, usize)| {
            let words = |text: &str| {
                text.split_whitespace()
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            };
            let errors = errors(&words(reference), &words(heard));
            let counts = (errors.substitutions, errors.deletions, errors.insertions);
            assert_eq!(counts, expected, "{reference} / {heard}");
            assert_eq!(errors.words, words(reference).len());
        };
        check("no chest pain", "no chest pain", (0, 0, 0));
        check("no chest pain", "no chess pain", (1, 0, 0));
        check("no chest pain", "chest pain", (0, 1, 0));
        check("no chest pain", "no no chest pain", (0, 0, 1));
        check("a b c d", "", (0, 4, 0));
        check("", "thank you", (0, 0, 2));
        check("a b c d e", "b c x e f", (1, 1, 1));
    }

    #[test]
    fn no_reference_has_no_rate() {
        assert_eq!(errors(&[], &["word".to_owned()]).rate(), None);
    }
}
