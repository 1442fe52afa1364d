//! Dutch to English, word by word: a list of clinical words, compounds taken apart, and the endings by which the Latin
//! and Greek words of both languages differ. What stays unknown is left to the matching of spellings.

use std::collections::HashMap;

use rust_stemmers::{Algorithm, Stemmer};

use super::{
    analyzer::Token,
    cognates::Cognates,
    compounds::{self, Part},
    rewrite::Rewriter,
    words::{Word, words},
};

/// Words that only one of the languages has, for telling them apart.
const DUTCH_WORDS: &str = "de het een van met bij en geen niet na sinds links rechts linker rechter voor door op aan \
    zonder wegens naar heeft is werd als gevolg tijdens tot uit om te zijn ziekte aandoening stoornis syndroom pijn";
const ENGLISH_WORDS: &str = "the with and no not after since left right for by on without due to has disease \
    disorder syndrome pain or from";

/// What compounds that name complaints end in.
const DUTCH_HEADS: &str = "ziekte ziekten aandoening aandoeningen stoornis stoornissen ontsteking klachten syndroom kanker breuk pijn \
    koorts gezwel zweer steen stenen";

/// Endings of learned words that English does not have.
const DUTCH_ENDINGS: &str = "tie sie xie gie nie lie rie fie pie mie die isch ische eerd eerde iteit oom aal aire euze ief ieve \
    uur eem eel iek";

#[derive(Debug)]
pub(crate) struct Dutch {
    lexicon: Rewriter,
    cognates: Cognates,
}

/// Different words of one text that are taken apart. A dictated hour has a few hundred that no list knows; what has more is
/// no text that anybody wrote, and its time must be bounded.
const TAKEN_APART_MAX: usize = 2_000;

/// The words of one text that were looked at closely, each once.
#[derive(Debug, Default)]
pub(crate) struct Translated {
    words: HashMap<String, Vec<English>>,
}

/// How much a word tells of the language.
const FUNCTION_WORD: i32 = 3;
const FOREIGN_WORD: i32 = 2;

impl Dutch {
    /// `english_stems` are those of the catalogue.
    pub(crate) fn new(english_stems: &[String]) -> Self {
        let left = |side: &str| {
            words(side)
                .iter()
                .map(|word| dutch_stem(&word.text))
                .collect()
        };
        let right = |side: &str| words(side).into_iter().map(|word| word.text).collect();
        Self {
            lexicon: Rewriter::parse(include_str!("../../../data/dutch.tsv"), left, right),
            cognates: Cognates::new(english_stems),
        }
    }

    /// Whether a text is Dutch rather than English, by its function words and by `is_english` of the others.
    pub(crate) fn is_dutch(&self, words: &[Word], is_english: impl Fn(&str) -> bool) -> bool {
        let has = |list: &str, word: &str| list.split_whitespace().any(|known| known == word);
        let (mut dutch, mut english) = (0, 0);
        let (mut dutch_function, mut english_function) = (0, 0);
        // "or" in Dutch: English unless something else is Dutch.
        let mut ambiguous = 0;
        for word in words {
            let text = word.text.as_str();
            let is_listed = self.lexicon.knows(&dutch_stem(text));
            if text == "of" {
                ambiguous += FUNCTION_WORD;
            } else if has(DUTCH_WORDS, text) {
                dutch_function += FUNCTION_WORD;
            } else if has(ENGLISH_WORDS, text) {
                english_function += FUNCTION_WORD;
            } else if is_english(text) {
                english += i32::from(!is_listed);
            } else if is_listed || self.looks_dutch(text, &is_english) {
                dutch += FOREIGN_WORD;
            }
        }
        if dutch == 0 {
            english_function += ambiguous;
        }
        // Latin and Greek words of both languages outvote no function word.
        if dutch_function > 0 && english_function == 0 {
            return true;
        }
        dutch + dutch_function > english + english_function
    }

    /// A word that ends in a Dutch name of complaints, a learned word with an ending that English lacks, or a compound with a part that English lacks.
    fn looks_dutch(&self, word: &str, is_english: &impl Fn(&str) -> bool) -> bool {
        let is_complaint = DUTCH_HEADS
            .split_whitespace()
            .any(|head| word.ends_with(head));
        if is_complaint {
            return true;
        }
        let is_learned = DUTCH_ENDINGS
            .split_whitespace()
            .any(|ending| word.ends_with(ending));
        if is_learned && self.relative(word).is_some() {
            return true;
        }
        let mut dutch_part = false;
        let whole = compounds::split(word, |part| {
            if let Some(words) = self.listed(part) {
                dutch_part |= !is_english(part);
                return Some(Part::Known(words));
            }
            Some(Part::Relative(vec![self.related(part)?]))
        });
        whole.is_some() && dutch_part
    }

    /// English words in place of the Dutch ones. `is_english` says whether the catalogue has a word.
    pub(super) fn translate(
        &self,
        tokens: &[Token],
        translated: &mut Translated,
        is_english: impl Fn(&str) -> bool,
    ) -> Vec<Token> {
        let stemmed: Vec<Token> = tokens
            .iter()
            .map(|token| token.with_stem(dutch_stem(&token.stem)))
            .collect();
        // A run of the list replaces its tokens; the others are looked at one by one, unstemmed.
        let mut english = Vec::new();
        for token in self.lexicon.apply(&stemmed) {
            if token.is_rewritten() {
                english.push(token);
                continue;
            }
            let word = tokens
                .iter()
                .find(|original| original.start == token.start)
                .map_or(token.stem.as_str(), |original| original.stem.as_str());
            let words = self.word(word, translated, &is_english);
            english.extend(words.into_iter().map(|word| word.at(&token)));
        }
        english
    }

    fn word(
        &self,
        word: &str,
        translated: &mut Translated,
        is_english: &impl Fn(&str) -> bool,
    ) -> Vec<English> {
        if is_english(word) {
            return vec![English::Word(word.to_owned())];
        }
        if let Some(known) = translated.words.get(word) {
            return known.clone();
        }
        if translated.words.len() >= TAKEN_APART_MAX {
            return vec![English::Word(word.to_owned())];
        }
        let words = self.take_apart(word);
        translated.words.insert(word.to_owned(), words.clone());
        words
    }

    fn take_apart(&self, word: &str) -> Vec<English> {
        if let Some(relative) = self.relative(word) {
            return vec![English::Stem(relative.to_owned())];
        }
        self.compound(word)
            .unwrap_or_else(|| vec![English::Word(word.to_owned())])
    }

    fn compound(&self, word: &str) -> Option<Vec<English>> {
        compounds::split(word, |part| {
            self.listed(part)
                .map(Part::Known)
                .or_else(|| Some(Part::Relative(vec![self.related(part)?])))
        })
    }

    fn related(&self, part: &str) -> Option<English> {
        Some(English::Stem(self.relative(part)?.to_owned()))
    }

    /// The English stem of a learned word. `ge` marks participles only.
    fn relative(&self, word: &str) -> Option<&str> {
        let participle = word
            .strip_prefix("ge")
            .filter(|_| word.ends_with("eerd") || word.ends_with("eerde"));
        self.cognates
            .find(word)
            .or_else(|| self.cognates.find(participle?))
    }

    fn listed(&self, part: &str) -> Option<Vec<English>> {
        self.lexicon
            .single(&dutch_stem(part))
            .filter(|words| !words.is_empty())
            .map(|words| words.iter().cloned().map(English::Word).collect())
    }
}

/// What stands for a Dutch word.
#[derive(Debug, Clone)]
enum English {
    Word(String),
    /// Already as the catalogue has it: stemming is not to be done twice.
    Stem(String),
}

impl English {
    fn at(self, token: &Token) -> Token {
        match self {
            Self::Word(word) => token.with_stem(word),
            Self::Stem(stem) => token.with_final_stem(stem),
        }
    }
}

thread_local! {
    static STEMMER: Stemmer = Stemmer::create(Algorithm::Dutch);
}

pub(crate) fn dutch_stem(word: &str) -> String {
    STEMMER.with(|stemmer| stemmer.stem(word).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosecode::text::stem;

    fn dutch() -> Dutch {
        let english = [
            "osteoporosis",
            "malabsorption",
            "fracture",
            "pathological",
            "urethra",
            "carcinoma",
            "myotonia",
            "air",
        ];
        Dutch::new(&english.map(stem))
    }

    fn english(text: &str) -> String {
        let tokens: Vec<Token> = words(text).iter().map(Token::from).collect();
        dutch()
            .translate(&tokens, &mut Translated::default(), |word| {
                word == "urethra"
            })
            .into_iter()
            .map(|token| token.stem)
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn words_compounds_and_cognates_are_translated() {
        assert_eq!(
            english("pijn linkerknie na val"),
            "pain left knee after fall"
        );
        assert_eq!(english("hoge bloeddruk"), "hypertension");
        assert_eq!(
            english("malabsorptie osteoporose"),
            "malabsorption osteoporosis"
        );
        assert_eq!(english("urethrapijn"), "urethra pain");
        assert_eq!(english("voetbreuk rechts"), "foot fracture right");
        assert_eq!(english("hersenzenuwaandoening"), "cranial nerve disease");
        assert_eq!(
            english("persoonlijke anamnese met nierziekte"),
            "personal history kidney disease"
        );
    }

    #[test]
    fn so_many_unknown_words_are_taken_apart_and_no_more() {
        let text: String = (0..2 * TAKEN_APART_MAX)
            .map(|number| format!("xyz{number} "))
            .chain(["linkerknie".to_owned()])
            .collect();
        let tokens: Vec<Token> = words(&text).iter().map(Token::from).collect();
        let mut translated = Translated::default();
        let english = dutch().translate(&tokens, &mut translated, |_| false);
        assert_eq!(translated.words.len(), TAKEN_APART_MAX);
        assert_eq!(english.len(), tokens.len());
    }

    #[test]
    fn languages_are_told_apart() {
        let is_english = |word: &str| ["pain", "knee", "diabetes", "status"].contains(&word);
        let dutch = dutch();
        assert!(dutch.is_dutch(&words("pijn linkerknie na val"), is_english));
        assert!(dutch.is_dutch(&words("keelpijn"), is_english));
        assert!(dutch.is_dutch(&words("status bij diabetes"), is_english));
        assert!(!dutch.is_dutch(&words("pain in the left knee"), is_english));
        assert!(!dutch.is_dutch(&words("diabetes"), is_english));
    }
}
