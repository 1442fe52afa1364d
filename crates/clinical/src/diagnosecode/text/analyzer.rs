//! The analysis that terms and texts share.

use std::collections::HashSet;

use super::{
    language::{Dutch, Translated},
    rewrite::{Rewritable, Rewriter},
    stem::stem,
    words::{Word, words},
};

/// Function words, which say nothing of a diagnosis. Negations are not among them.
const STOP_WORDS: &str = "a an and as at be been by due for from had has have he her his in into is it its of on or \
    our she that the their there these they this those to was were which who with w c nos nec patient after presents \
    presented complains complaining reports";

/// What is written together with the word that follows it: `non-toxic` is `nontoxic`.
const PREFIXES: &str = "non post pre anti hyper hypo para peri intra extra sub supra multi micro macro poly pseudo \
    semi neo retro trans ultra endo epi meso meta hemi";

/// Combining forms this long and ending in `o` are joined when hyphenated: `vesico-ureteral`.
const COMBINING_CHARS_MIN: usize = 4;

/// Details that a term calls unspecified though no text would.
const UNSPECIFIED_DETAILS: [&str; 10] = [
    "organism", "site", "type", "degree", "part", "side", "cause", "severity", "location", "nature",
];

/// A stem and the place in the text that it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub stem: String,
    /// Code points of the text.
    pub start: usize,
    pub end: usize,
    pub bracketed: bool,
    pub after_break: bool,
    hyphenated: bool,
    rewritten: bool,
    is_final: bool,
}

/// A stem of a catalogue's term. Optional ones stand in brackets there: they may be present or absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TermToken {
    pub stem: String,
    pub optional: bool,
}

#[derive(Debug)]
pub(crate) struct Analyzer {
    abbreviations: Rewriter,
    synonyms: Rewriter,
    stop_words: HashSet<&'static str>,
    prefixes: HashSet<&'static str>,
}

impl Analyzer {
    pub(crate) fn english() -> Self {
        let stop_words: HashSet<_> = STOP_WORDS.split_whitespace().collect();
        let prefixes: HashSet<_> = PREFIXES.split_whitespace().collect();
        let plain = |side: &str| words(side).into_iter().map(|word| word.text).collect();
        let mut analyzer = Self {
            abbreviations: Rewriter::parse(
                include_str!("../../../data/abbreviations_en.tsv"),
                plain,
                plain,
            ),
            synonyms: Rewriter::default(),
            stop_words,
            prefixes,
        };
        let stems = |side: &str| analyzer.stems(side);
        let synonyms = Rewriter::parse(include_str!("../../../data/synonyms_en.tsv"), stems, stems);
        analyzer.synonyms = synonyms;
        analyzer
    }

    /// The tokens of a text; `words` may have been translated before.
    pub(crate) fn text(&self, words: &[Word]) -> Vec<Token> {
        let raw: Vec<Token> = words.iter().map(Token::from).collect();
        self.canonical(&self.abbreviations.apply(&raw))
    }

    /// The tokens of a Dutch text, in English. `is_english` says whether the catalogue has a stem; `translated` holds what
    /// was met in the same text before.
    pub(crate) fn dutch_text(
        &self,
        dutch: &Dutch,
        words: &[Word],
        translated: &mut Translated,
        is_english: impl Fn(&str) -> bool,
    ) -> Vec<Token> {
        let raw: Vec<Token> = words.iter().map(Token::from).collect();
        let english = dutch.translate(&raw, translated, |word| is_english(&stem(word)));
        self.canonical(&self.abbreviations.apply(&english))
    }

    /// The tokens of a catalogue's term, each stem once.
    pub(crate) fn term(&self, text: &str) -> Vec<TermToken> {
        let mut raw: Vec<Token> = words(text).iter().map(Token::from).collect();
        bracket_defaults(&mut raw);
        let mut tokens: Vec<TermToken> = Vec::new();
        for token in self.canonical(&raw) {
            match tokens.iter_mut().find(|known| known.stem == token.stem) {
                Some(known) => known.optional &= token.bracketed,
                None => tokens.push(TermToken {
                    stem: token.stem,
                    optional: token.bracketed,
                }),
            }
        }
        tokens
    }

    fn canonical(&self, raw: &[Token]) -> Vec<Token> {
        self.synonyms.apply(&self.stemmed(raw))
    }

    fn stems(&self, side: &str) -> Vec<String> {
        let raw: Vec<Token> = words(side).iter().map(Token::from).collect();
        self.stemmed(&raw)
            .into_iter()
            .map(|token| token.stem)
            .collect()
    }

    fn stemmed(&self, raw: &[Token]) -> Vec<Token> {
        let mut stemmed: Vec<Token> = Vec::with_capacity(raw.len());
        let mut prefix: Option<&Token> = None;
        for token in raw {
            if self.is_prefix(token) {
                prefix.replace(token);
                continue;
            }
            let mut token = token.clone();
            if let Some(prefix) = prefix.take() {
                token.stem.insert_str(0, &prefix.stem);
                token.start = prefix.start;
            } else if self.stop_words.contains(token.stem.as_str()) {
                continue;
            } else if let Some(previous) = stemmed.last_mut().filter(|_| token.hyphenated)
                && previous.end + 1 == token.start
                && previous.stem.ends_with('o')
                && previous.stem.len() >= COMBINING_CHARS_MIN
            {
                token.stem.insert_str(0, &previous.stem);
                token.start = previous.start;
                stemmed.pop();
            }
            if !token.is_final {
                token.stem = stem(&token.stem);
            }
            stemmed.push(token);
        }
        stemmed
    }

    fn is_prefix(&self, token: &Token) -> bool {
        self.prefixes.contains(token.stem.as_str())
    }
}

/// What a term says only to say that nothing more is said counts as bracketed: `, unspecified organism`,
/// `without complications`, `, not intractable`, `of unspecified site`. So does what it leaves to another code:
/// `, except renal pelvis`.
fn bracket_defaults(raw: &mut [Token]) {
    let mut in_default = false;
    for at in 0..raw.len() {
        let next = raw.get(at + 1).map_or("", |token| token.stem.as_str());
        let starts = match raw[at].stem.as_str() {
            "unspecified" => raw[at].after_break || UNSPECIFIED_DETAILS.contains(&next),
            "not" => raw[at].after_break || next == "having",
            "without" | "except" => raw[at].after_break,
            _ => false,
        };
        in_default = starts || (in_default && !raw[at].after_break);
        let uncomplicated = raw[at].stem == "without" && next.starts_with("complication");
        raw[at].bracketed |= in_default || uncomplicated;
        if uncomplicated {
            raw[at + 1].bracketed = true;
        }
    }
}

impl From<&Word> for Token {
    fn from(word: &Word) -> Self {
        Self {
            stem: word.text.clone(),
            start: word.start,
            end: word.end,
            bracketed: word.bracketed,
            after_break: word.after_break,
            hyphenated: word.hyphenated,
            rewritten: false,
            is_final: false,
        }
    }
}

impl Token {
    pub(super) fn with_stem(&self, stem: String) -> Self {
        Self {
            stem,
            ..self.clone()
        }
    }

    /// With a stem that needs no stemming.
    pub(super) fn with_final_stem(&self, stem: String) -> Self {
        Self {
            is_final: true,
            ..self.with_stem(stem)
        }
    }

    /// Whether a rule put it there.
    pub(super) fn is_rewritten(&self) -> bool {
        self.rewritten
    }
}

impl Rewritable for Token {
    fn word(&self) -> &str {
        &self.stem
    }

    fn replaced(run: &[Self], word: &str) -> Self {
        let (first, last) = (&run[0], &run[run.len() - 1]);
        Self {
            stem: word.to_owned(),
            start: first.start,
            end: last.end,
            bracketed: run.iter().all(|token| token.bracketed),
            after_break: first.after_break,
            hyphenated: false,
            rewritten: true,
            is_final: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stems(text: &str) -> Vec<String> {
        Analyzer::english()
            .text(&words(text))
            .into_iter()
            .map(|token| token.stem)
            .collect()
    }

    #[test]
    fn abbreviations_and_synonyms_meet_the_written_out_form() {
        assert_eq!(
            stems("T2DM w/ neuropathy"),
            stems("type II diabetes mellitus with neuropathy")
        );
        assert_eq!(stems("renal cancer"), stems("kidney, malignant neoplasm"));
        assert_eq!(stems("non-toxic goitre"), stems("nontoxic goiter"));
        assert_eq!(
            stems("vesico-ureteral reflux"),
            stems("vesicoureteral reflux")
        );
    }

    #[test]
    fn what_replaces_an_abbreviation_stands_at_its_place() {
        let tokens = Analyzer::english().text(&words("known T2DM"));
        assert!(
            tokens[1..]
                .iter()
                .all(|token| (token.start, token.end) == (6, 10))
        );
    }
}
