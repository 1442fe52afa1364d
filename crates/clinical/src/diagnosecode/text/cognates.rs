//! Latin and Greek words of Dutch, found by their English relatives: the endings differ by rule, and what is spelt
//! differently (`k` and `c`, `f` and `ph`, `t` and `th`) is folded away on both sides.

use std::collections::{HashMap, HashSet};

use super::stem::stem;

/// A shorter word is taken for its like too easily.
const FOLDED_CHARS_MIN: usize = 4;

/// Letters by which folded words are told apart at first sight.
const START: usize = 3;

/// Dutch endings with the English ones that may stand for them, longest first.
const ENDINGS: &[(&str, &[&str])] = &[
    ("insufficientie", &["insufficiency"]),
    ("logische", &["logical", "logic"]),
    ("logisch", &["logical", "logic"]),
    ("iseerde", &["ized"]),
    ("iseerd", &["ized"]),
    ("icaties", &["ications"]),
    ("erende", &["ating", "ing"]),
    ("erend", &["ating", "ing"]),
    ("eerde", &["ated", "ed"]),
    ("iteiten", &["ities"]),
    ("atische", &["atic"]),
    ("atoire", &["atory"]),
    ("atoir", &["atory"]),
    ("antie", &["ance", "ancy"]),
    ("entie", &["ence", "ency"]),
    ("rragie", &["rrhage", "rrhagia"]),
    ("parese", &["paresis"]),
    ("plegie", &["plegia"]),
    ("ectomie", &["ectomy"]),
    ("kardie", &["cardia"]),
    ("pnoe", &["pnea"]),
    ("rroe", &["rrhea"]),
    ("rree", &["rrhea"]),
    ("emie", &["emia"]),
    ("urie", &["uria"]),
    ("algie", &["algia"]),
    ("fobie", &["phobia"]),
    ("manie", &["mania"]),
    ("filie", &["philia"]),
    ("fagie", &["phagia"]),
    ("penie", &["penia"]),
    ("plasie", &["plasia"]),
    ("thermie", &["thermia"]),
    ("eerd", &["ated", "ed"]),
    ("iteit", &["ity"]),
    ("teit", &["ty"]),
    ("ische", &["ic", "ical", "ous", "ish"]),
    ("ieuze", &["ious"]),
    ("ieus", &["ious"]),
    ("iele", &["ial", "ile", "el"]),
    ("ieel", &["ial"]),
    ("uele", &["ual"]),
    ("ueel", &["ual"]),
    ("aire", &["ary", "ar"]),
    ("oire", &["ory"]),
    ("ieve", &["ive"]),
    ("isch", &["ic", "ical", "ous", "ish"]),
    ("euze", &["ous", "ose"]),
    ("eale", &["eal"]),
    ("iene", &["ine"]),
    ("gene", &["genic", "gen"]),
    ("geen", &["gen", "genic"]),
    ("lyse", &["lysis"]),
    ("isme", &["ism"]),
    ("omen", &["omas"]),
    ("omata", &["omas"]),
    ("euren", &["ors"]),
    ("uur", &["ure"]),
    ("uren", &["ures"]),
    ("ese", &["esis"]),
    ("xie", &["xia", "xy"]),
    ("tie", &["tion", "cy", "ty", "tia"]),
    ("sie", &["sion", "sia", "sy"]),
    ("air", &["ary", "ar"]),
    ("oir", &["ory"]),
    ("ief", &["ive"]),
    ("iel", &["ile", "ial"]),
    ("eus", &["ous", "eus", "ose"]),
    ("eem", &["ema", "em"]),
    ("oom", &["oma"]),
    ("oid", &["oid"]),
    ("ide", &["id", "ide"]),
    ("ose", &["osis", "ose"]),
    ("ase", &["ase", "asis"]),
    ("aal", &["al"]),
    ("ale", &["al"]),
    ("ele", &["al", "el", "elial"]),
    ("eel", &["al", "el"]),
    ("iek", &["ic", "ics"]),
    ("oog", &["ogist", "ogue"]),
    ("ies", &["ias", "ies"]),
    ("ien", &["ia", "in", "ine"]),
    ("ine", &["in", "ine"]),
    ("eur", &["or"]),
    ("ogie", &["ogy"]),
    ("een", &["en", "ene", "ine"]),
    ("en", &["", "s", "e", "a"]),
    ("ie", &["y", "ia", "ion", "ium"]),
    ("e", &["", "e", "is"]),
    ("s", &["", "s"]),
];

/// Letters that the languages write differently, folded to one. In this order.
const FOLDED: [(&str, &str); 16] = [
    ("ph", "f"),
    ("th", "t"),
    ("rh", "r"),
    ("ch", "k"),
    ("ck", "k"),
    ("qu", "kw"),
    ("x", "ks"),
    ("c", "k"),
    ("ij", "i"),
    ("y", "i"),
    ("j", "i"),
    ("z", "s"),
    ("ae", "e"),
    ("oe", "e"),
    ("eu", "u"),
    ("ou", "u"),
];

#[derive(Debug)]
pub(super) struct Cognates {
    /// English stems by what is left of them when folded.
    folded: HashMap<String, String>,
    /// How these begin: most parts of words begin like none, and need no closer look.
    starts: HashSet<[u8; START]>,
}

impl Cognates {
    pub(super) fn new(english_stems: &[String]) -> Self {
        let mut folded: HashMap<String, String> = HashMap::new();
        for stem in english_stems {
            let key = fold(stem);
            if key.len() < FOLDED_CHARS_MIN || !stem.is_ascii() {
                continue;
            }
            let known = folded.entry(key).or_insert_with(|| stem.clone());
            // Of stems that fold alike the shortest, which is the plainest.
            if stem.len() < known.len() {
                known.clone_from(stem);
            }
        }
        let starts = folded.keys().filter_map(|key| start(key)).collect();
        Self { folded, starts }
    }

    /// The English stem that a learned Dutch word stands for.
    pub(super) fn find(&self, word: &str) -> Option<&str> {
        if word.len() < FOLDED_CHARS_MIN || !word.is_ascii() {
            return None;
        }
        if start(&fold(word)).is_none_or(|start| !self.starts.contains(&start)) {
            return None;
        }
        let endings = ENDINGS
            .iter()
            .filter_map(|(dutch, english)| Some((word.strip_suffix(dutch)?, *english)))
            .filter(|(base, _)| base.len() >= START);
        let respelt = endings
            .flat_map(|(base, english)| english.iter().map(move |end| format!("{base}{end}")));
        std::iter::once(word.to_owned())
            .chain(respelt)
            .find_map(|candidate| self.folded.get(&fold(&stem(&candidate))))
            .map(String::as_str)
    }
}

fn start(folded: &str) -> Option<[u8; START]> {
    folded.as_bytes().get(..START)?.try_into().ok()
}

/// Without what the languages spell differently: one letter for each sound, none twice in a row.
fn fold(stem: &str) -> String {
    let mut folded = stem.to_owned();
    for (from, to) in FOLDED {
        if folded.contains(from) {
            folded = folded.replace(from, to);
        }
    }
    let mut last = ' ';
    folded.retain(|letter| std::mem::replace(&mut last, letter) != letter);
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn learned_words_find_their_english_stem() {
        let english = [
            "rheumatoid",
            "arthritis",
            "insufficiency",
            "carcinoma",
            "respiratory",
            "emphysema",
            "generalized",
            "hemorrhage",
            "intolerance",
            "juvenile",
            "nodular",
            "leukemia",
            "fracture",
            "diarrhea",
            "epilepsy",
            "neuromuscular",
            "thyroiditis",
            "idiopathic",
            "cysts",
            "dystrophy",
            "ataxia",
            "lymphadenopathy",
        ];
        let stems: Vec<String> = english.iter().map(|word| stem(word)).collect();
        let cognates = Cognates::new(&stems);
        for (dutch, meant) in [
            ("reumatoide", "rheumatoid"),
            ("artritis", "arthritis"),
            ("insufficientie", "insufficiency"),
            ("carcinoom", "carcinoma"),
            ("respiratoire", "respiratory"),
            ("emfyseem", "emphysema"),
            ("gegeneraliseerde", "generalized"),
            ("hemorragie", "hemorrhage"),
            ("intolerantie", "intolerance"),
            ("juveniele", "juvenile"),
            ("nodulair", "nodular"),
            ("leukemie", "leukemia"),
            ("fractuur", "fracture"),
            ("diarree", "diarrhea"),
            ("epilepsie", "epilepsy"),
            ("neuromusculaire", "neuromuscular"),
            ("thyreoiditis", ""),
            ("idiopathische", "idiopathic"),
            ("dystrofie", "dystrophy"),
            ("ataxie", "ataxia"),
            ("lymfadenopathie", "lymphadenopathy"),
            ("schaap", ""),
        ] {
            let found = cognates.find(
                dutch
                    .strip_prefix("ge")
                    .filter(|_| dutch.ends_with("eerde"))
                    .unwrap_or(dutch),
            );
            let expected = stem(meant);
            assert_eq!(
                found,
                Some(expected.as_str()).filter(|_| !meant.is_empty()),
                "{dutch}"
            );
        }
    }
}
