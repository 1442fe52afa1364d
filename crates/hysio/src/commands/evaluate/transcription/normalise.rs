//! Writes a text the way it sounds, so that spelling does not count as an error: the steps are those of Whisper's English
//! normaliser (Radford et al. 2022, appendix C): case, punctuation, what stands in brackets, fillers, contractions, titles,
//! numbers, British spelling. One step is ours: "ok" is "okay". For Dutch a basic one: case, punctuation, fillers, numbers.

mod dutch;
mod english;
mod numbers;

use std::collections::HashMap;

use anyhow::Context as _;
use hysio_model::transcript::Language;
use hysio_speech::{Folder, Model};
use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};

pub struct Normaliser {
    /// British to American, from the model's package.
    spellings: HashMap<String, String>,
}

impl Normaliser {
    /// Reads the spelling table that comes with any of the models.
    pub fn load(folder: &Folder) -> anyhow::Result<Self> {
        let file = |model: Model| folder.path().join(model.name()).join("normalizer.json");
        let path = Model::ALL
            .map(file)
            .into_iter()
            .find(|path| path.is_file())
            .with_context(|| {
                let folder = folder.path().display();
                format!("no speech model in {folder}: run ./hysio install")
            })?;
        let text = std::fs::read(&path).with_context(|| format!("read {}", path.display()))?;
        let spellings = serde_json::from_slice(&text)
            .with_context(|| format!("{} is damaged: run ./hysio install", path.display()))?;
        Ok(Self { spellings })
    }

    pub fn words(&self, text: &str, language: Language) -> Vec<String> {
        let words = split(&plain(text));
        match language {
            Language::English => english::normalise(&words, &self.spellings),
            Language::Dutch => dutch::normalise(&words),
        }
    }
}

/// Lower case, no accents, nothing in brackets.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut depth = 0_usize;
    for character in text.nfkd().filter(|it| !is_combining_mark(*it)) {
        match character {
            '[' | '(' | '<' => depth += 1,
            ']' | ')' | '>' => depth = depth.saturating_sub(1),
            '\u{2018}' | '\u{2019}' | '\u{2bc}' if depth == 0 => plain.push('\''),
            _ if depth == 0 => plain.extend(character.to_lowercase()),
            _ => {}
        }
    }
    plain
}

/// Words of letters, digits and apostrophes. A point stays inside a number, a comma there goes, and %, $, £, € stay.
fn split(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    let digit = |at: Option<usize>| {
        at.and_then(|at| characters.get(at))
            .is_some_and(char::is_ascii_digit)
    };
    let mut spaced = String::with_capacity(text.len());
    for (at, &character) in characters.iter().enumerate() {
        let inside_number = digit(at.checked_sub(1)) && digit(Some(at + 1));
        match character {
            ',' if inside_number => {}
            '.' if inside_number => spaced.push('.'),
            '\'' | '%' | '$' | '£' | '€' => spaced.push(character),
            _ if character.is_alphanumeric() => spaced.push(character),
            _ => spaced.push(' '),
        }
    }
    let words = spaced
        .split_whitespace()
        .map(|word| word.trim_matches('\''));
    words
        .filter(|it| !it.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(language: Language, text: &str, expected: &str) {
        let spellings = [("paediatric", "pediatric"), ("colour", "color")];
        let spellings = spellings.map(|(a, b)| (a.to_owned(), b.to_owned()));
        let normaliser = Normaliser {
            spellings: HashMap::from(spellings),
        };
        assert_eq!(
            normaliser.words(text, language).join(" "),
            expected,
            "{text}"
        );
    }

    #[test]
    fn english_that_sounds_the_same_is_the_same() {
        let check = |text, expected| check(Language::English, text, expected);
        check("Um, OK. [laughs] No (inaudible) pain!", "okay no pain");
        check(
            "I can't, won't and didn’t.",
            "i can not will not and did not",
        );
        check(
            "It's he'd she's been we'll I'm",
            "it is he would she has been we will i am",
        );
        check("Dr. Smith and Mrs. Jones", "doctor smith and missus jones");
        check(
            "the colour of a Paediatric ward",
            "the color of a pediatric ward",
        );
        check("well-being, cafés", "well being cafes");
        check("I'm gonna wanna", "i am going to want to");
    }

    #[test]
    fn english_numbers_are_digits() {
        let check = |text, expected| check(Language::English, text, expected);
        check("thirty minutes ago", "30 minutes ago");
        check("one hundred and five over sixty-two", "105 over 62");
        check("two thousand and twenty", "2020");
        check("nineteen eighty four", "1984");
        check("1,250 mg, 37.5 degrees", "1250 mg 37.5 degrees");
        check("three point five percent", "3.5%");
        check("fifty dollars", "$50");
        check("the twenty first and the third", "the 21st and the 3rd");
        check("one two three", "123");
        check("bread and five and go", "bread and 5 and go");
        check("two and a half weeks", "2.5 weeks");
        check("a hundred", "a 100");
    }

    #[test]
    fn dutch_keeps_its_words_and_counts_in_digits() {
        let check = |text, expected| check(Language::Dutch, text, expected);
        check("Eh, vijfentwintig milligram!", "25 milligram");
        check("drieëndertig of tweehonderdvijftig", "33 of 250");
        check("Eén keer, 's ochtends", "1 keer s ochtends");
        check("duizend stappen", "1000 stappen");
    }
}
