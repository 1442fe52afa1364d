//! Cuts a recording into pieces that Whisper can hear in one go: at most 30 s, at silences where there are any.

use std::ops::Range;

use crate::{audio::SAMPLE_RATE, vad::WINDOW};

/// Windows of voice activity in a chunk: a little under the 30 s that the encoder sees.
const WINDOWS_MAX: usize = 29 * SAMPLE_RATE / WINDOW;
/// A chunk does not reach over a longer silence than this: whoever pauses so long starts anew.
const SILENCE_MAX: usize = 3 * SAMPLE_RATE / WINDOW;
/// Speech without a pause is cut at the quietest point in this last part of the chunk.
const SEARCH: usize = 8 * SAMPLE_RATE / WINDOW;

/// A piece of the recording, in samples, and where in it somebody speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    pub samples: Range<usize>,
    pub speech: Vec<Range<usize>>,
}

/// Packs the regions of speech (in windows) into as few chunks as can be, each within the limit.
#[must_use]
pub fn plan(regions: &[Range<usize>], probabilities: &[f32], samples: usize) -> Vec<Chunk> {
    let mut groups: Vec<Vec<Range<usize>>> = Vec::new();
    for region in regions
        .iter()
        .flat_map(|region| split(region.clone(), probabilities))
    {
        match groups.last_mut() {
            Some(group) if fits(group, &region) => group.push(region),
            _ => groups.push(vec![region]),
        }
    }
    groups.iter().map(|group| chunk(group, samples)).collect()
}

fn fits(group: &[Range<usize>], region: &Range<usize>) -> bool {
    let (Some(first), Some(last)) = (group.first(), group.last()) else {
        return true;
    };
    region.end - first.start <= WINDOWS_MAX && region.start - last.end <= SILENCE_MAX
}

/// Pieces of one long region, each within the limit.
fn split(mut region: Range<usize>, probabilities: &[f32]) -> Vec<Range<usize>> {
    let mut pieces = Vec::new();
    while region.len() > WINDOWS_MAX {
        let last = region.start + WINDOWS_MAX;
        let quietest = (last - SEARCH..last)
            .rev()
            .min_by(|a, b| probabilities[*a].total_cmp(&probabilities[*b]))
            .unwrap_or(last);
        pieces.push(region.start..quietest);
        region.start = quietest;
    }
    pieces.push(region);
    pieces
}

fn chunk(group: &[Range<usize>], samples: usize) -> Chunk {
    let scaled = |range: &Range<usize>| range.start * WINDOW..(range.end * WINDOW).min(samples);
    let speech: Vec<Range<usize>> = group.iter().map(scaled).collect();
    let start = speech.first().map_or(0, |range| range.start);
    let end = speech.last().map_or(0, |range| range.end);
    Chunk {
        samples: start..end,
        speech,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn no_speech_makes_no_chunk() {
        assert!(plan(&[], &[0.0; 10], 10 * WINDOW).is_empty());
    }

    #[test]
    fn speech_without_a_pause_is_cut_at_its_quietest_point() {
        let mut probabilities = vec![0.9; 2000];
        probabilities[800] = 0.5;
        let chunks = plan(&vec![0..2000; 1], &probabilities, 2000 * WINDOW);
        assert_eq!(chunks[0].samples, 0..800 * WINDOW);
        assert_eq!(chunks[1].samples.start, 800 * WINDOW);
    }

    proptest! {
        #[test]
        fn every_bit_of_speech_is_in_exactly_one_chunk_of_bounded_length(
            gaps in proptest::collection::vec((1_usize..300, 1_usize..3000), 0..20),
        ) {
            let mut at = 0;
            let mut regions = Vec::new();
            for (gap, length) in gaps {
                regions.push(at + gap..at + gap + length);
                at += gap + length;
            }
            let chunks = plan(&regions, &vec![0.5; at], at * WINDOW);
            let speech: usize = chunks.iter().flat_map(|it| &it.speech).map(Range::len).sum();
            prop_assert_eq!(speech, regions.iter().map(|it| it.len() * WINDOW).sum::<usize>());
            prop_assert!(chunks.iter().all(|it| it.samples.len() <= 30 * SAMPLE_RATE));
            prop_assert!(chunks.windows(2).all(|it| it[0].samples.end <= it[1].samples.start));
        }
    }
}
