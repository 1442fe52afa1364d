//! From characters to the tokens that are matched: words with their place in the text, stemmed, abbreviations and
//! synonyms brought to one form. The same analysis reads the catalogue's terms and the clinician's text.

mod analyzer;
mod cognates;
mod compounds;
mod context;
mod language;
mod rewrite;
mod stem;
mod words;

pub(super) use analyzer::{Analyzer, TermToken, Token};
pub(super) use context::{Assertion, Scope, asserted, is_present, scopes};
pub(super) use language::{Dutch, Translated, dutch_stem};
pub(super) use stem::stem;
pub(super) use words::{Word, sentences, words};
