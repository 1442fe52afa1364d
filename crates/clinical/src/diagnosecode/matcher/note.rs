//! A note: many findings in sentences, those that terms name and those that associated words suggest.

use std::collections::{HashMap, HashSet};

use super::{
    Match, Matcher,
    associations::{Associated, Association},
    mention::{IN_FULL, Mention, Scratch, strength},
    note_score::{self, Candidate, Features, LEXICAL, Lexical, Seen},
    priors, rank,
};
use crate::diagnosecode::{
    Catalogue,
    catalogue::Code,
    text::{Scope, Token},
};

/// From this share on, words suffice that name another finding, or what is denied elsewhere.
const CLOSE: f32 = 0.4;
/// From this share on, words find a code that no term names.
const ASSOCIATION_MIN: f32 = 0.25;
/// All mentions of one code.
struct Mentioned {
    code: Code,
    best: Mention,
    mentions: u16,
    /// Which sentence named it first, as a share of the note.
    position: f32,
    ranges: Vec<(usize, usize)>,
}

/// What terms name in a note.
struct Named {
    findings: Vec<Finding>,
    /// Categories of what is said to be absent.
    absent: HashSet<String>,
}

/// A code that the note names or suggests.
struct Finding {
    code: Code,
    term: u32,
    lexical: Lexical,
    ranges: Vec<(usize, usize)>,
}

impl Finding {
    /// Whether its own words are what is associated with a code of another category: diabetes is often given where
    /// hypertension is, but the word says the one and not the other.
    fn accounts_for(&self, code: &str, association: &Association) -> bool {
        let holds = |place: &(usize, usize)| {
            self.ranges.iter().any(|range| range.0 == place.0)
                && self.ranges.iter().any(|range| range.1 == place.1)
        };
        association.share < CLOSE
            && priors::category(&self.code.code) != priors::category(code)
            && self.lexical[0] > IN_FULL
            && association.places.iter().any(holds)
    }
}

impl Mentioned {
    fn finding(self, catalogue: &Catalogue) -> Finding {
        let seen = Seen {
            term_cover: self.best.term_cover,
            weight: self.best.weight,
            density: self.best.density,
            words: self.best.tokens.len(),
            mentions: self.mentions,
            rivals: self.best.rivals,
            position: self.position,
            history: self.best.history,
            kind: catalogue.terms.kind(self.best.term),
        };
        Finding {
            lexical: seen.features(),
            code: self.code,
            term: self.best.term,
            ranges: self.ranges,
        }
    }
}

impl Matcher {
    /// The codes that the sentences name as present, best first, each once. `sentences` are their tokens and what they
    /// assert.
    pub(crate) fn note(
        &self,
        catalogue: &Catalogue,
        sentences: &[(Vec<Token>, Vec<Scope>)],
    ) -> Vec<Match> {
        let Named {
            mut findings,
            absent,
        } = self.findings(catalogue, sentences);
        let associated = self.associations.of(&self.priors, sentences);
        let more = self.associated(catalogue, sentences, &associated, &findings, &absent);
        findings.extend(more);
        let keys: Vec<String> = findings
            .iter()
            .map(|finding| priors::key(&finding.code.code))
            .collect();
        let candidates: Vec<Candidate> = findings
            .iter()
            .zip(&keys)
            .map(|(finding, key)| Candidate {
                key,
                lexical: finding.lexical,
                association: associated.codes.get(key.as_str()),
            })
            .collect();
        let features = note_score::features(&self.priors, &associated, &candidates);
        let mut matches: Vec<Match> = findings
            .into_iter()
            .zip(features)
            .map(|(finding, features)| self.scored(finding, features))
            .collect();
        rank(&mut matches);
        matches
    }

    /// The codes that terms name, by code, with how they do.
    pub(crate) fn named(
        &self,
        catalogue: &Catalogue,
        sentences: &[(Vec<Token>, Vec<Scope>)],
    ) -> Vec<(String, Lexical)> {
        self.findings(catalogue, sentences)
            .findings
            .into_iter()
            .map(|finding| (priors::key(&finding.code.code), finding.lexical))
            .collect()
    }

    fn findings(&self, catalogue: &Catalogue, sentences: &[(Vec<Token>, Vec<Scope>)]) -> Named {
        let mut mentioned: HashMap<String, Mentioned> = HashMap::new();
        let mut absent = HashSet::new();
        let mut scratch = Scratch::new(catalogue);
        for (number, (tokens, scopes)) in sentences.iter().enumerate() {
            let said: HashSet<&str> = tokens.iter().map(|token| token.stem.as_str()).collect();
            let position = share(number, sentences.len());
            let mentions = self.sentence(catalogue, tokens, scopes, &mut scratch);
            let categories = mentions
                .absent
                .into_iter()
                .map(|entry| priors::category(&catalogue.entry(entry).code).to_owned());
            absent.extend(categories);
            for mention in mentions.present {
                let code = self.resolve(catalogue, mention.entry, &said);
                collect(&mut mentioned, tokens, code, mention, position);
            }
        }
        let mut findings: Vec<Finding> = mentioned
            .into_values()
            .map(|mentioned| mentioned.finding(catalogue))
            .collect();
        findings.sort_by(|a, b| a.code.code.cmp(&b.code.code));
        Named { findings, absent }
    }

    /// Codes that no term names but whose associated words stand in the note, with the code's title as their term.
    fn associated(
        &self,
        catalogue: &Catalogue,
        sentences: &[(Vec<Token>, Vec<Scope>)],
        associated: &Associated,
        named: &[Finding],
        absent: &HashSet<String>,
    ) -> Vec<Finding> {
        let mut known: HashSet<String> = named
            .iter()
            .map(|finding| priors::key(&finding.code.code))
            .collect();
        let mut likely: Vec<_> = associated
            .codes
            .iter()
            .filter(|(code, association)| {
                association.share >= ASSOCIATION_MIN
                    && (association.share >= CLOSE || !absent.contains(priors::category(code)))
                    && !named
                        .iter()
                        .any(|finding| finding.accounts_for(code, association))
            })
            .collect();
        likely.sort_unstable_by_key(|(code, _)| **code);
        let mut findings = Vec::new();
        for (code, association) in likely {
            let Some(entry) = catalogue.find(code).map(|code| code.entry) else {
                continue;
            };
            let Some(term) = self.titles[entry as usize] else {
                continue;
            };
            let said: HashSet<&str> = sentences[association.sentence]
                .0
                .iter()
                .map(|token| token.stem.as_str())
                .collect();
            let code = self.resolve(catalogue, entry, &said);
            if known.insert(priors::key(&code.code)) {
                findings.push(Finding {
                    code,
                    term,
                    lexical: [0.0; LEXICAL],
                    ranges: association.places.clone(),
                });
            }
        }
        findings
    }

    fn scored(&self, finding: Finding, features: Features) -> Match {
        let score = self.note_trees.score(&features);
        Match {
            score,
            probability: 1.0 / (1.0 + (-score).exp()),
            term: finding.term,
            ranges: finding.ranges,
            features: note_score::NAMES.into_iter().zip(features).collect(),
            code: finding.code,
        }
    }
}

fn collect(
    mentioned: &mut HashMap<String, Mentioned>,
    tokens: &[Token],
    code: Code,
    mention: Mention,
    position: f32,
) {
    let ranges = mention
        .tokens
        .iter()
        .map(|at| (tokens[*at].start, tokens[*at].end));
    match mentioned.get_mut(&code.code) {
        None => {
            let mut ranges: Vec<_> = ranges.collect();
            ranges.dedup();
            mentioned.insert(
                code.code.clone(),
                Mentioned {
                    code,
                    mentions: 1,
                    position,
                    ranges,
                    best: mention,
                },
            );
        }
        Some(known) => {
            known.mentions = known.mentions.saturating_add(1);
            known.ranges.extend(ranges);
            known.ranges.sort_unstable();
            known.ranges.dedup();
            if strength(&mention) > strength(&known.best) {
                known.best = mention;
            }
        }
    }
}

fn share(part: usize, whole: usize) -> f32 {
    let float = |count: usize| f32::from(u16::try_from(count).unwrap_or(u16::MAX));
    float(part) / float(whole.max(1))
}
