//! Words and sentences, with their ranges in code points.

use unicode_normalization::char::decompose_canonical;

/// Longer runs of letters are no words (base64, a stuck key): they are left out.
const WORD_CHARS_MAX: usize = 48;

/// A sentence without an end is cut here, so that the work per sentence stays bounded.
const SENTENCE_WORDS_MAX: usize = 60;

/// A word as it is compared: lower case, without diacritics. `start..end` are code points of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Word {
    pub text: String,
    pub start: usize,
    pub end: usize,
    /// Whether it stands in parentheses or brackets: there the classification puts what a code does not depend on.
    pub bracketed: bool,
    /// Whether a mark (`,` `;` `:`) parts it from the word before.
    pub after_break: bool,
    /// Whether a sentence ends before it.
    pub after_stop: bool,
    /// Whether a hyphen joins it to the word before.
    pub hyphenated: bool,
}

/// Splits a text into words. Hyphens part words; a possessive `'s` is dropped.
pub(crate) fn words(text: &str) -> Vec<Word> {
    let mut scanner = Scanner::default();
    let mut characters = text.chars().peekable();
    let mut previous = ' ';
    let mut at = 0;
    while let Some(character) = characters.next() {
        let next = characters.peek().copied();
        scanner.take(character, previous, next, at);
        previous = character;
        at += 1;
    }
    scanner.finish_word(at);
    scanner.words
}

/// Splits words into sentences.
pub(crate) fn sentences(words: &[Word]) -> Vec<&[Word]> {
    let mut sentences = Vec::new();
    let mut rest = words;
    while !rest.is_empty() {
        let end = rest
            .iter()
            .skip(1)
            .take(SENTENCE_WORDS_MAX - 1)
            .position(|word| word.after_stop)
            .map_or(rest.len().min(SENTENCE_WORDS_MAX), |at| at + 1);
        let (sentence, others) = rest.split_at(end);
        sentences.push(sentence);
        rest = others;
    }
    sentences
}

#[derive(Default)]
struct Scanner {
    words: Vec<Word>,
    current: String,
    start: usize,
    depth: usize,
    break_before: bool,
    stop_before: bool,
    hyphen_before: bool,
    /// Inside `<…>`: a tag of HTML is no text.
    in_tag: bool,
}

impl Scanner {
    fn take(&mut self, character: char, previous: char, next: Option<char>, at: usize) {
        if self.in_tag {
            self.in_tag = character != '>';
            return;
        }
        if character.is_alphanumeric() {
            if self.current.is_empty() {
                self.start = at;
            }
            fold(character, &mut self.current);
            return;
        }
        if is_mark(character) && !self.current.is_empty() {
            return;
        }
        self.finish_word(at);
        self.hyphen_before = matches!(character, '-' | '‐' | '‑') && previous.is_alphanumeric();
        match character {
            '<' => {
                self.in_tag = next.is_some_and(|next| next.is_ascii_alphabetic() || next == '/');
                self.break_before = true;
            }
            '(' | '[' => self.depth += 1,
            ')' | ']' => self.depth = self.depth.saturating_sub(1),
            ',' | ';' | ':' => self.break_before = true,
            '\n' | '!' | '?' => self.stop(),
            '.' if next.is_none_or(char::is_whitespace) && !self.ends_in_initial() => self.stop(),
            _ => {}
        }
    }

    fn stop(&mut self) {
        self.stop_before = true;
        self.depth = 0;
    }

    /// `M. Quervain` and `E. coli` go on after the dot.
    fn ends_in_initial(&self) -> bool {
        self.words.last().is_some_and(|word| {
            word.end - word.start == 1 && !word.text.starts_with(char::is_numeric)
        })
    }

    fn finish_word(&mut self, at: usize) {
        if self.current.is_empty() {
            return;
        }
        let text = std::mem::take(&mut self.current);
        let possessive = text == "s"
            && self
                .words
                .last()
                .is_some_and(|word| word.end + 1 == self.start && !self.break_before);
        if !possessive && at - self.start <= WORD_CHARS_MAX {
            self.words.push(Word {
                text,
                start: self.start,
                end: at,
                bracketed: self.depth > 0,
                after_break: self.break_before,
                after_stop: self.stop_before,
                hyphenated: self.hyphen_before,
            });
            self.break_before = false;
            self.stop_before = false;
        }
    }
}

/// Lower case, and the base letter of a letter with diacritics.
fn fold(character: char, into: &mut String) {
    for lower in character.to_lowercase() {
        decompose_canonical(lower, |part| {
            if !is_mark(part) {
                into.push(part);
            }
        });
    }
}

fn is_mark(character: char) -> bool {
    ('\u{300}'..='\u{36f}').contains(&character)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        words(text).into_iter().map(|word| word.text).collect()
    }

    #[test]
    fn words_are_folded_and_possessives_dropped() {
        assert_eq!(texts("Crohn's disease"), ["crohn", "disease"]);
        assert_eq!(texts("Sjögren; reumatoïde"), ["sjogren", "reumatoide"]);
    }

    #[test]
    fn ranges_count_code_points() {
        let found = words("één knie 🙂 pijn");
        let pijn = found.last().expect("three words");
        assert_eq!((pijn.start, pijn.end), (11, 15));
    }

    #[test]
    fn tags_are_no_words() {
        assert_eq!(
            texts("<p class=\"x\">knee<br/>pain</p> 3 < 4"),
            ["knee", "pain", "3", "4"]
        );
    }

    #[test]
    fn sentences_end_at_stops_but_not_at_initials_or_decimals() {
        let all = words("Pain. E. coli at 3.5 mg\nFever");
        let counted: Vec<usize> = sentences(&all).iter().map(|s| s.len()).collect();
        assert_eq!(counted, [1, 6, 1]);
    }
}
