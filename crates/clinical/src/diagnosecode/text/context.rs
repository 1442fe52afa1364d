//! Who has what, and when: findings that a sentence denies, supposes, puts in the past or ascribes to a relative.
//!
//! The idea of ConText (Harkema and others, 2009) with rules of our own: a trigger opens a scope that a conjunction,
//! a mark or the sentence's end closes. English and Dutch together, as the words don't collide.

use super::words::Word;

/// What the words of a sentence are said to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Assertion {
    Negated,
    Hypothetical,
    Family,
    /// Over: `previous`, `resolved`, `two years ago`.
    Past,
    /// `history of`: over for what heals, still there for what does not.
    History,
}

impl Assertion {
    /// Whether the patient does not have it now.
    pub(crate) fn is_absent(self) -> bool {
        match self {
            Self::Negated | Self::Hypothetical | Self::Past => true,
            // The classification has codes for these.
            Self::Family | Self::History => false,
        }
    }
}

/// Words of a sentence, in code points, under an assertion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scope {
    pub assertion: Assertion,
    pub start: usize,
    pub end: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// The words that follow, up to the end of the clause.
    Ahead,
    /// The words before, back to the start of the clause.
    Behind,
    /// The whole sentence.
    Sentence,
}

/// A trigger reaches at most this many words.
const REACH_WORDS_MAX: usize = 12;

/// Longest first where one begins with another.
const TRIGGERS: &[(&str, Assertion, Reach)] = &[
    // What looks like a negation and is none comes first, with no reach: see `NO_TRIGGERS`.
    ("no evidence of", Assertion::Negated, Reach::Ahead),
    ("no signs of", Assertion::Negated, Reach::Ahead),
    ("no history of", Assertion::Negated, Reach::Ahead),
    ("negative for", Assertion::Negated, Reach::Ahead),
    ("absence of", Assertion::Negated, Reach::Ahead),
    ("free of", Assertion::Negated, Reach::Ahead),
    ("rules out", Assertion::Negated, Reach::Ahead),
    ("ruled out", Assertion::Negated, Reach::Behind),
    ("not present", Assertion::Negated, Reach::Behind),
    ("was negative", Assertion::Negated, Reach::Behind),
    ("were negative", Assertion::Negated, Reach::Behind),
    ("is negative", Assertion::Negated, Reach::Behind),
    ("denies", Assertion::Negated, Reach::Ahead),
    ("denied", Assertion::Negated, Reach::Ahead),
    ("denying", Assertion::Negated, Reach::Ahead),
    ("without", Assertion::Negated, Reach::Ahead),
    ("no", Assertion::Negated, Reach::Ahead),
    ("not", Assertion::Negated, Reach::Ahead),
    ("never", Assertion::Negated, Reach::Ahead),
    ("absent", Assertion::Negated, Reach::Behind),
    ("excluded", Assertion::Negated, Reach::Behind),
    ("rule out", Assertion::Hypothetical, Reach::Ahead),
    ("risk of", Assertion::Hypothetical, Reach::Ahead),
    ("in case of", Assertion::Hypothetical, Reach::Ahead),
    ("if", Assertion::Hypothetical, Reach::Ahead),
    ("return if", Assertion::Hypothetical, Reach::Ahead),
    ("family history", Assertion::Family, Reach::Sentence),
    ("mother", Assertion::Family, Reach::Sentence),
    ("father", Assertion::Family, Reach::Sentence),
    ("brother", Assertion::Family, Reach::Sentence),
    ("sister", Assertion::Family, Reach::Sentence),
    ("grandmother", Assertion::Family, Reach::Sentence),
    ("grandfather", Assertion::Family, Reach::Sentence),
    ("aunt", Assertion::Family, Reach::Sentence),
    ("uncle", Assertion::Family, Reach::Sentence),
    ("past history of", Assertion::Past, Reach::Ahead),
    ("previous", Assertion::Past, Reach::Ahead),
    ("previously", Assertion::Past, Reach::Ahead),
    ("formerly", Assertion::Past, Reach::Ahead),
    ("h o", Assertion::History, Reach::Ahead),
    ("history of", Assertion::History, Reach::Ahead),
    ("years ago", Assertion::Past, Reach::Behind),
    ("year ago", Assertion::Past, Reach::Behind),
    ("in childhood", Assertion::Past, Reach::Behind),
    ("resolved", Assertion::Past, Reach::Behind),
    // Dutch
    ("geen aanwijzingen voor", Assertion::Negated, Reach::Ahead),
    ("geen tekenen van", Assertion::Negated, Reach::Ahead),
    ("geen", Assertion::Negated, Reach::Ahead),
    ("niet", Assertion::Negated, Reach::Ahead),
    ("zonder", Assertion::Negated, Reach::Ahead),
    ("ontkent", Assertion::Negated, Reach::Ahead),
    ("nooit", Assertion::Negated, Reach::Ahead),
    ("uitgesloten", Assertion::Negated, Reach::Behind),
    ("afwezig", Assertion::Negated, Reach::Behind),
    ("indien", Assertion::Hypothetical, Reach::Ahead),
    ("familieanamnese", Assertion::Family, Reach::Sentence),
    ("moeder", Assertion::Family, Reach::Sentence),
    ("vader", Assertion::Family, Reach::Sentence),
    ("broer", Assertion::Family, Reach::Sentence),
    ("zus", Assertion::Family, Reach::Sentence),
    ("oma", Assertion::Family, Reach::Sentence),
    ("opa", Assertion::Family, Reach::Sentence),
    ("tante", Assertion::Family, Reach::Sentence),
    ("oom", Assertion::Family, Reach::Sentence),
    ("voorgeschiedenis van", Assertion::History, Reach::Ahead),
    ("voorgeschiedenis", Assertion::History, Reach::Ahead),
    ("bekend met", Assertion::History, Reach::Ahead),
    ("vroeger", Assertion::Past, Reach::Ahead),
    ("eerder", Assertion::Past, Reach::Ahead),
    ("jaar geleden", Assertion::Past, Reach::Behind),
];

/// Runs that hold a trigger but assert nothing.
const NO_TRIGGERS: &[&str] = &[
    "not only",
    "not certain",
    "no increase",
    "no change",
    "no longer than",
    "no improvement",
    "without improvement",
    "not improve",
    "not responding",
    "niet alleen",
    "geen verbetering",
    "no relief",
];

/// Words that end a scope.
const CLAUSE_ENDS: &[&str] = &[
    "but",
    "however",
    "although",
    "except",
    "because",
    "which",
    "who",
    "maar",
    "echter",
    "wel",
    "behalve",
    "omdat",
    "presents",
    "presented",
    "developed",
    "shows",
    "showed",
    "revealed",
    "now",
    "nu",
    "has",
    "heeft",
    "had",
];

/// The scopes of one sentence.
pub(crate) fn scopes(sentence: &[Word]) -> Vec<Scope> {
    let mut scopes = Vec::new();
    let mut at = 0;
    while at < sentence.len() {
        if let Some(length) = NO_TRIGGERS.iter().find_map(|run| run_at(sentence, at, run)) {
            at += length;
            continue;
        }
        let trigger = TRIGGERS.iter().find_map(|(run, assertion, reach)| {
            run_at(sentence, at, run).map(|length| (length, *assertion, *reach))
        });
        match trigger {
            Some((length, assertion, reach)) => {
                scopes.extend(scope(sentence, at, length, assertion, reach));
                at += length;
            }
            None => at += 1,
        }
    }
    scopes
}

/// What is asserted of a range of code points; the first scope that holds it counts.
pub(crate) fn asserted(scopes: &[Scope], start: usize, end: usize) -> Option<Assertion> {
    scopes
        .iter()
        .find(|scope| scope.start <= start && end <= scope.end)
        .map(|scope| scope.assertion)
}

/// Whether the patient has, or has had, what the range says.
pub(crate) fn is_present(scopes: &[Scope], start: usize, end: usize) -> bool {
    matches!(
        asserted(scopes, start, end),
        None | Some(Assertion::History)
    )
}

fn run_at(sentence: &[Word], at: usize, run: &str) -> Option<usize> {
    let mut length = 0;
    for wanted in run.split(' ') {
        if sentence.get(at + length)?.text != wanted {
            return None;
        }
        length += 1;
    }
    Some(length)
}

fn scope(
    sentence: &[Word],
    at: usize,
    length: usize,
    assertion: Assertion,
    reach: Reach,
) -> Option<Scope> {
    let reached: &[Word] = match reach {
        Reach::Sentence => sentence,
        Reach::Ahead => {
            let rest = &sentence[at + length..];
            let ahead = rest
                .iter()
                .take(REACH_WORDS_MAX)
                .position(|word| CLAUSE_ENDS.contains(&word.text.as_str()) || ends_list(word, rest))
                .unwrap_or(rest.len().min(REACH_WORDS_MAX));
            &rest[..ahead]
        }
        Reach::Behind => {
            let before = &sentence[..at];
            let start = before
                .iter()
                .rposition(|word| CLAUSE_ENDS.contains(&word.text.as_str()))
                .map_or(0, |end| end + 1)
                .max(before.len().saturating_sub(REACH_WORDS_MAX));
            &before[start..]
        }
    };
    Some(Scope {
        assertion,
        start: reached.first()?.start,
        end: reached.last()?.end,
    })
}

/// A list goes on after a comma ("no fever, cough or rash") as long as an `or`, `nor`, `of` or `and` is still to come;
/// without one, a comma ends the scope.
fn ends_list(word: &Word, rest: &[Word]) -> bool {
    word.after_break
        && !rest.iter().take(REACH_WORDS_MAX).any(|later| {
            later.start >= word.start
                && matches!(
                    later.text.as_str(),
                    "or" | "nor" | "of" | "and" | "en" | "noch"
                )
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosecode::text::words;

    fn said_of(text: &str, finding: &str) -> Option<Assertion> {
        let words = words(text);
        let scopes = scopes(&words);
        let found = words
            .iter()
            .find(|word| word.text == finding)
            .expect("the finding is in the text");
        asserted(&scopes, found.start, found.end)
    }

    #[test]
    fn each_finding_is_told_as_the_sentence_tells_it() {
        for (text, finding, expected) in [
            ("No fever, cough or rash", "rash", Some(Assertion::Negated)),
            ("No fever, pain in the knee", "pain", None),
            ("No fever but severe headache", "headache", None),
            (
                "Pneumonia was ruled out",
                "pneumonia",
                Some(Assertion::Negated),
            ),
            (
                "Her mother has diabetes",
                "diabetes",
                Some(Assertion::Family),
            ),
            (
                "History of appendicitis",
                "appendicitis",
                Some(Assertion::History),
            ),
            (
                "Return if fever develops",
                "fever",
                Some(Assertion::Hypothetical),
            ),
            ("Not only headache", "headache", None),
            (
                "Geen koorts of hoesten",
                "hoesten",
                Some(Assertion::Negated),
            ),
            (
                "Vader had hypertensie",
                "hypertensie",
                Some(Assertion::Family),
            ),
            ("Pijn in de knie", "pijn", None),
        ] {
            assert_eq!(said_of(text, finding), expected, "{text}");
        }
    }
}
