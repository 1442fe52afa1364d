//! Replaces runs of tokens by their canonical form, longest run first.

use std::collections::HashMap;

/// What a rule replaces and by what; both are stems.
#[derive(Debug, Default)]
pub(super) struct Rewriter {
    rules: HashMap<String, Vec<Rule>>,
}

#[derive(Debug)]
struct Rule {
    rest: Vec<String>,
    output: Vec<String>,
}

/// Something with a word, that can be replaced by others over the same place.
pub(super) trait Rewritable: Clone {
    fn word(&self) -> &str;
    /// `word` in place of `run`.
    fn replaced(run: &[Self], word: &str) -> Self;
}

impl Rewriter {
    /// From `variant <TAB> canonical` lines; `#` begins a comment. `words` splits and normalises a side.
    pub(super) fn parse(
        table: &str,
        left: impl Fn(&str) -> Vec<String>,
        right: impl Fn(&str) -> Vec<String>,
    ) -> Self {
        let mut rewriter = Self::default();
        for line in table.lines() {
            let Some((variants, canonical)) = line.split_once('\t') else {
                continue;
            };
            if line.starts_with('#') {
                continue;
            }
            let output = right(canonical);
            for variant in variants.split('|') {
                rewriter.add(left(variant), output.clone());
            }
        }
        for rules in rewriter.rules.values_mut() {
            rules.sort_by_key(|rule| std::cmp::Reverse(rule.rest.len()));
        }
        rewriter
    }

    fn add(&mut self, variant: Vec<String>, output: Vec<String>) {
        let mut variant = variant.into_iter();
        let Some(first) = variant.next() else { return };
        let rest: Vec<String> = variant.collect();
        let rules = self.rules.entry(first).or_default();
        if rules.iter().all(|rule| rule.rest != rest) {
            rules.push(Rule { rest, output });
        }
    }

    pub(super) fn apply<T: Rewritable>(&self, tokens: &[T]) -> Vec<T> {
        let mut rewritten = Vec::with_capacity(tokens.len());
        let mut at = 0;
        while at < tokens.len() {
            if let Some((length, output)) = self.match_at(&tokens[at..]) {
                let run = &tokens[at..at + length];
                rewritten.extend(output.iter().map(|word| T::replaced(run, word)));
                at += length;
            } else {
                rewritten.push(tokens[at].clone());
                at += 1;
            }
        }
        rewritten
    }

    pub(super) fn knows(&self, word: &str) -> bool {
        self.rules.contains_key(word)
    }

    /// The replacement of a single word.
    pub(super) fn single(&self, word: &str) -> Option<&[String]> {
        self.rules
            .get(word)?
            .iter()
            .find(|rule| rule.rest.is_empty())
            .map(|rule| rule.output.as_slice())
    }

    fn match_at<T: Rewritable>(&self, tokens: &[T]) -> Option<(usize, &[String])> {
        let rules = self.rules.get(tokens[0].word())?;
        rules
            .iter()
            .find(|rule| {
                tokens.len() > rule.rest.len()
                    && rule
                        .rest
                        .iter()
                        .zip(&tokens[1..])
                        .all(|(wanted, token)| wanted == token.word())
            })
            .map(|rule| (rule.rest.len() + 1, rule.output.as_slice()))
    }
}
