//! Dutch to English, word by word: a list of clinical words, compounds taken apart, and the endings by which the Latin
//! and Greek words of both languages differ. What stays unknown is left to the matching of spellings.

use rust_stemmers::{Algorithm, Stemmer};

use super::{
    analyzer::Token,
    rewrite::Rewriter,
    words::{Word, words},
};

/// A part of a compound has at least this many letters.
const PART_CHARS_MIN: usize = 3;
/// Longer words are no compounds that people write; the work of taking them apart grows with their length.
const COMPOUND_CHARS_MAX: usize = 40;

/// Dutch and English endings of learned words, longest first.
const ENDINGS: [(&str, &str); 38] = [
    ("iteiten", "ity"),
    ("atische", "atic"),
    ("logische", "logical"),
    ("opathie", "opathy"),
    ("ectomie", "ectomy"),
    ("otomie", "otomy"),
    ("plegie", "plegia"),
    ("kardie", "cardia"),
    ("emie", "emia"),
    ("urie", "uria"),
    ("algie", "algia"),
    ("fobie", "phobia"),
    ("ische", "ic"),
    ("iteit", "ity"),
    ("euze", "ous"),
    ("eeus", "eal"),
    ("eale", "eal"),
    ("iele", "ial"),
    ("isch", "ic"),
    ("tie", "tion"),
    ("sie", "sion"),
    ("cele", "cele"),
    ("aire", "ary"),
    ("eren", "ing"),
    ("ieve", "ive"),
    ("atie", "ation"),
    ("air", "ary"),
    ("ief", "ive"),
    ("ose", "osis"),
    ("ase", "ase"),
    ("oom", "oma"),
    ("eus", "ous"),
    ("aal", "al"),
    ("ale", "al"),
    ("ele", "al"),
    ("ie", "y"),
    ("us", "us"),
    ("e", ""),
];

/// Letters that the languages write differently, tried together.
const LETTERS: [(&str, &str); 7] = [
    ("oedeem", "edema"),
    ("fy", "phy"),
    ("fo", "pho"),
    ("k", "c"),
    ("z", "s"),
    ("oe", "e"),
    ("sch", "sch"),
];

/// Words that only one of the languages has, for telling them apart.
const DUTCH_WORDS: &str = "de het een van met bij en geen niet na sinds links rechts linker rechter voor door op aan \
    zonder wegens naar heeft is werd als";
const ENGLISH_WORDS: &str =
    "the of with and no not after since left right for by on without due to has was in";

#[derive(Debug)]
pub(crate) struct Dutch {
    lexicon: Rewriter,
}

impl Dutch {
    pub(crate) fn new() -> Self {
        let left = |side: &str| {
            words(side)
                .iter()
                .map(|word| dutch_stem(&word.text))
                .collect()
        };
        let right = |side: &str| words(side).into_iter().map(|word| word.text).collect();
        Self {
            lexicon: Rewriter::parse(include_str!("../../../data/dutch.tsv"), left, right),
        }
    }

    /// Whether a text is Dutch rather than English, by its function words and by `is_english` of the others.
    pub(crate) fn is_dutch(&self, words: &[Word], is_english: impl Fn(&str) -> bool) -> bool {
        let has = |list: &str, word: &str| list.split_whitespace().any(|known| known == word);
        let (mut dutch, mut english) = (0, 0);
        for word in words {
            let text = word.text.as_str();
            let is_listed = self.lexicon.knows(&dutch_stem(text));
            if has(DUTCH_WORDS, text) {
                dutch += 3;
            } else if has(ENGLISH_WORDS, text) {
                english += 3;
            } else if is_english(text) {
                english += i32::from(!is_listed);
            } else if is_listed
                || self.parts(text).is_some()
                || cognates(text).iter().any(|word| is_english(word))
            {
                dutch += 2;
            }
        }
        dutch > english
    }

    /// English words in place of the Dutch ones. `is_english` says whether the catalogue has a word.
    pub(super) fn translate(
        &self,
        tokens: &[Token],
        is_english: impl Fn(&str) -> bool,
    ) -> Vec<Token> {
        let stemmed: Vec<Token> = tokens
            .iter()
            .map(|token| token.with_stem(dutch_stem(&token.stem)))
            .collect();
        // A run of the list replaces its tokens; the others are looked at one by one, unstemmed.
        let mut translated = Vec::new();
        for token in self.lexicon.apply(&stemmed) {
            if token.is_rewritten() {
                translated.push(token);
                continue;
            }
            let word = tokens
                .iter()
                .find(|original| original.start == token.start)
                .map_or(token.stem.as_str(), |original| original.stem.as_str());
            translated.extend(
                self.word(word, &is_english)
                    .into_iter()
                    .map(|word| token.with_stem(word)),
            );
        }
        translated
    }

    fn word(&self, word: &str, is_english: &impl Fn(&str) -> bool) -> Vec<String> {
        if is_english(word) {
            return vec![word.to_owned()];
        }
        if let Some(parts) = self.parts(word) {
            return parts;
        }
        if let Some(cognate) = cognates(word)
            .into_iter()
            .find(|cognate| is_english(cognate))
        {
            return vec![cognate];
        }
        self.half_known(word, is_english).unwrap_or_else(|| {
            vec![
                cognates(word)
                    .into_iter()
                    .next()
                    .unwrap_or_else(|| word.to_owned()),
            ]
        })
    }

    /// A compound whose parts are both in the list: `linkerknie`, `schouder-s-pijn`.
    fn parts(&self, word: &str) -> Option<Vec<String>> {
        self.split(word, &|part| self.listed(part), &|part| self.listed(part))
    }

    /// A compound of which one part is in the list and the other a word of both languages: `urethrapijn`.
    fn half_known(&self, word: &str, is_english: &impl Fn(&str) -> bool) -> Option<Vec<String>> {
        let shared = |part: &str| {
            cognates(part)
                .into_iter()
                .chain([part.to_owned()])
                .find(|part| part.len() > PART_CHARS_MIN && is_english(part))
                .map(|part| vec![part])
        };
        let listed = |part: &str| self.listed(part);
        self.split(word, &listed, &shared)
            .or_else(|| self.split(word, &shared, &listed))
            .or_else(|| self.split(word, &shared, &shared))
    }

    fn split(
        &self,
        word: &str,
        first: &impl Fn(&str) -> Option<Vec<String>>,
        second: &impl Fn(&str) -> Option<Vec<String>>,
    ) -> Option<Vec<String>> {
        if word.len() > COMPOUND_CHARS_MAX {
            return None;
        }
        // The longest first part that is known.
        (PART_CHARS_MIN..word.len().saturating_sub(PART_CHARS_MIN - 1))
            .rev()
            .filter(|at| word.is_char_boundary(*at))
            .find_map(|at| {
                let (start, end) = word.split_at(at);
                let tail = second(end)?;
                let head = [
                    start,
                    start.strip_suffix('s').unwrap_or(start),
                    start.strip_suffix("en").unwrap_or(start),
                ]
                .into_iter()
                .filter(|start| start.len() >= PART_CHARS_MIN)
                .find_map(first)?;
                Some([head, tail].concat())
            })
    }

    fn listed(&self, part: &str) -> Option<Vec<String>> {
        self.lexicon
            .single(&dutch_stem(part))
            .filter(|words| !words.is_empty())
            .map(<[String]>::to_vec)
    }
}

pub(crate) fn dutch_stem(word: &str) -> String {
    Stemmer::create(Algorithm::Dutch).stem(word).into_owned()
}

/// English words that a learned Dutch word may be, likeliest first.
fn cognates(word: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (dutch, english) in ENDINGS {
        if let Some(base) = word.strip_suffix(dutch) {
            found.push(format!("{base}{english}"));
        }
    }
    found.push(word.to_owned());
    let respelt: Vec<String> = found
        .iter()
        .map(|candidate| {
            LETTERS
                .iter()
                .fold(candidate.clone(), |word, (dutch, english)| {
                    word.replace(dutch, english)
                })
        })
        .collect();
    found.extend(respelt);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn english(text: &str) -> String {
        let known = [
            "osteoporosis",
            "malabsorption",
            "fracture",
            "pathological",
            "urethra",
            "carcinoma",
        ];
        let tokens: Vec<Token> = words(text).iter().map(Token::from).collect();
        Dutch::new()
            .translate(&tokens, |word| known.contains(&word))
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
    }

    #[test]
    fn languages_are_told_apart() {
        let is_english = |word: &str| ["pain", "knee", "diabetes"].contains(&word);
        let dutch = Dutch::new();
        assert!(dutch.is_dutch(&words("pijn linkerknie na val"), is_english));
        assert!(dutch.is_dutch(&words("keelpijn"), is_english));
        assert!(!dutch.is_dutch(&words("pain in the left knee"), is_english));
        assert!(!dutch.is_dutch(&words("diabetes"), is_english));
    }
}
