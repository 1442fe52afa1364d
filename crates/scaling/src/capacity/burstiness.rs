//! How bursty arrivals are, from a trace of them: the index of dispersion for counts, the variance of what comes in a step over its mean
//! (Gusella, `Characterizing the Variability of Arrival Processes with Indexes of Dispersion`, 1991). It is 1 for independent arrivals and
//! is what queues feel of the squared variation of the times between arrivals.

use serde::Serialize;

use crate::series::{Combine, Series};

/// With fewer pairs of steps the index says little.
const FEWEST: usize = 100;

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Burstiness {
    pub index_of_dispersion: f64,
    pub pairs: usize,
}

/// From the differences of neighbouring steps, so that the slow course of the day is not taken for bursts: two neighbours with the same
/// mean differ by twice their variance.
///
/// # Errors
/// Why it can't be known.
pub fn burstiness(series: &Series) -> Result<Burstiness, String> {
    if series.combine() != Combine::Sum {
        return Err("the trace is a level, not arrivals: burstiness is of what comes".to_owned());
    }
    let (mut squares, mut means, mut pairs) = (0.0, 0.0, 0_usize);
    for pair in series.values().windows(2) {
        let [before, now] = [pair[0], pair[1]];
        if before.is_nan() || now.is_nan() || before + now == 0.0 {
            continue;
        }
        squares += (now - before).powi(2);
        means += before + now;
        pairs += 1;
    }
    if pairs < FEWEST {
        return Err(format!(
            "{pairs} pairs of steps with arrivals are too few to measure burstiness, which takes {FEWEST}"
        ));
    }
    Ok(Burstiness {
        index_of_dispersion: squares / means,
        pairs,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::MINUTE;

    fn series(batch: f64) -> Series {
        let mut random = fastrand::Rng::with_seed(3);
        let values = (0..4000).map(|minute| {
            // Batches that come independently, more in the middle of the day.
            let expected = 10.0 + 6.0 * (f64::from(minute) / 700.0).sin();
            let (mut count, mut time) = (0.0, 0.0);
            loop {
                time -= (1.0 - random.f64()).ln();
                if time > expected {
                    return batch * count;
                }
                count += 1.0;
            }
        });
        let start = jiff::civil::date(2024, 1, 1).at(0, 0, 0, 0);
        Series::local(start, MINUTE, Combine::Sum, values.collect())
    }

    #[test]
    fn independent_arrivals_have_1_and_batches_of_three_have_3() {
        for batch in [1.0, 3.0] {
            let got = burstiness(&series(batch)).unwrap();
            assert!(
                (got.index_of_dispersion / batch - 1.0).abs() < 0.1,
                "{batch}: {got:?}"
            );
        }
    }

    #[test]
    fn a_level_and_a_few_steps_say_nothing() {
        let level = series(1.0).with_combine(Combine::Mean);
        assert!(burstiness(&level).unwrap_err().contains("level"));
        assert!(
            burstiness(&series(1.0).tail(20))
                .unwrap_err()
                .contains("too few")
        );
    }
}
