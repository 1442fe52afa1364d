//! Quantiles of what was seen: by linear interpolation between the order statistics.

/// Of values in ascending order; `NaN` of none.
#[must_use]
pub fn sorted_quantile(sorted: &[f64], level: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    let place = level.clamp(0.0, 1.0) * last as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(last);
    sorted[below] + (place - place.floor()) * (sorted[above] - sorted[below])
}

/// At ascending levels, of values in any order: only those beside a quantile are put in their places.
///
/// # Panics
/// Without any value.
#[must_use]
pub fn quantiles<const N: usize>(values: &mut [f64], levels: &[f64; N]) -> [f64; N] {
    let last = values.len() - 1;
    let ranks = levels.map(|level| {
        let below = (level * last as f64) as usize;
        [below, (below + 1).min(last)]
    });
    let mut ranks = ranks.concat();
    ranks.sort_unstable();
    ranks.dedup();
    put_in_place(values, 0, &ranks);
    levels.map(|level| sorted_quantile(values, level))
}

/// Where all of what is before a rank is no more, and after it no less. Ranks are ascending and counted from the first of all, which is so
/// many before these.
fn put_in_place(values: &mut [f64], first: usize, ranks: &[usize]) {
    let Some(rank) = ranks.get(ranks.len() / 2) else {
        return;
    };
    let (before, _, after) = values.select_nth_unstable_by(rank - first, f64::total_cmp);
    put_in_place(before, first, &ranks[..ranks.len() / 2]);
    put_in_place(after, rank + 1, &ranks[ranks.len() / 2 + 1..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_all_values_in_order() {
        let mut random = fastrand::Rng::with_seed(3);
        for count in [1, 2, 3, 48, 1000] {
            let mut values: Vec<f64> = (0..count)
                .map(|_| random.f64().round() + random.f64())
                .collect();
            let levels = [0.0, 0.001, 0.3, 0.5, 0.501, 0.95, 0.999, 1.0];
            let mut sorted = values.clone();
            sorted.sort_unstable_by(f64::total_cmp);
            let expected = levels.map(|level| sorted_quantile(&sorted, level));
            assert_eq!(quantiles(&mut values, &levels), expected);
        }
    }
}
