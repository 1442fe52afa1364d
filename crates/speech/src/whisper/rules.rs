//! Which tokens may come next, as in the reference decoder: special tokens never, timestamps in pairs and in order, and a
//! timestamp whenever timestamps together are likelier than any word.

use super::super::vocabulary::{Token, Vocabulary};

/// The first segment starts within the first second: the chunk was cut where speech begins.
const FIRST_TIMESTAMP_MAX: Token = 50;

pub struct Rules<'a> {
    vocabulary: &'a Vocabulary,
    /// No timestamp after the end of the sound.
    timestamp_last: Token,
}

impl<'a> Rules<'a> {
    pub fn new(vocabulary: &'a Vocabulary, seconds: f64) -> Self {
        let steps = (seconds / crate::vocabulary::TIMESTAMP_SECONDS).ceil() as Token;
        Self {
            vocabulary,
            timestamp_last: vocabulary.timestamp_first() + steps.min(1500),
        }
    }

    /// Sets what may not follow `said` to minus infinity.
    pub fn apply(&self, said: &[Token], logits: &mut [f32]) {
        let vocabulary = self.vocabulary;
        forbid(logits, &vocabulary.suppressed);
        forbid(logits, &[vocabulary.no_timestamps, vocabulary.no_speech]);
        if said.is_empty() {
            forbid(logits, &vocabulary.suppressed_first);
        }
        self.pair_timestamps(said, logits);
        self.order_timestamps(said, logits);
        self.prefer_timestamp(logits);
    }

    /// A timestamp opens a segment and one closes it; after a closing one comes another or the end.
    fn pair_timestamps(&self, said: &[Token], logits: &mut [f32]) {
        let first = self.vocabulary.timestamp_first() as usize;
        let is_timestamp = |back: usize| {
            let at = said.len().checked_sub(back);
            at.map(|at| said[at] as usize >= first)
        };
        match (is_timestamp(1), is_timestamp(2)) {
            // Nothing said yet: a timestamp must come.
            (None, _) => logits[..first].fill(f32::NEG_INFINITY),
            // One is open: words must come.
            (Some(true), Some(true) | None) => logits[first..].fill(f32::NEG_INFINITY),
            // One has closed a segment: a timestamp or the end must come.
            (Some(true), Some(false)) => {
                logits[..self.vocabulary.end as usize].fill(f32::NEG_INFINITY);
            }
            (Some(false), _) => {}
        }
    }

    /// Time does not run backwards, nor stand still within a segment, nor go on after the end.
    fn order_timestamps(&self, said: &[Token], logits: &mut [f32]) {
        let first = self.vocabulary.timestamp_first();
        let last = said.iter().rev().find(|token| **token >= first);
        let opens = said.last().is_some_and(|token| *token >= first);
        if let Some(last) = last {
            let from = if opens { *last } else { *last + 1 };
            logits[first as usize..from as usize].fill(f32::NEG_INFINITY);
        } else {
            let from = (first + FIRST_TIMESTAMP_MAX + 1).min(self.timestamp_last + 1);
            logits[from as usize..].fill(f32::NEG_INFINITY);
        }
        logits[self.timestamp_last as usize + 1..].fill(f32::NEG_INFINITY);
    }

    fn prefer_timestamp(&self, logits: &mut [f32]) {
        let (words, timestamps) = logits.split_at(self.vocabulary.timestamp_first() as usize);
        let likeliest_word = words.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        if log_sum_exp(timestamps) > likeliest_word {
            let first = self.vocabulary.timestamp_first() as usize;
            logits[..first].fill(f32::NEG_INFINITY);
        }
    }
}

fn forbid(logits: &mut [f32], tokens: &[Token]) {
    for token in tokens {
        if let Some(logit) = logits.get_mut(*token as usize) {
            *logit = f32::NEG_INFINITY;
        }
    }
}

pub fn log_sum_exp(values: &[f32]) -> f32 {
    let largest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if largest == f32::NEG_INFINITY {
        return largest;
    }
    largest
        + values
            .iter()
            .map(|value| (value - largest).exp())
            .sum::<f32>()
            .ln()
}
