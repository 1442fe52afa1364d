//! Quantiles of demand: Poisson where the variance is the mean, negative binomial where it is more, gamma for large or fractional
//! amounts.

use statrs::function::erf::erfc;

/// From this mean on, a gamma distribution is as good as counting.
const LARGE: f64 = 400.0;

/// Quantiles at ascending levels of a distribution with a mean and a variance. For counts the variance is at least the mean.
#[must_use]
pub fn quantiles<const N: usize>(
    mean: f64,
    variance: f64,
    counts: bool,
    levels: [f64; N],
) -> [f64; N] {
    if mean.is_nan() || mean <= 0.0 {
        return [0.0; N];
    }
    if counts && mean < LARGE {
        discrete(mean, variance.max(mean), levels)
    } else {
        levels.map(|level| gamma(mean, variance.max(1e-12 * mean * mean), level))
    }
}

/// Sums probabilities from zero up. With `r = m²/(v−m)` and `q = 1−m/v` the negative binomial's are
/// `p₀ = (1−q)^r`, `p(k+1) = p(k)·(r+k)/(k+1)·q`; Poisson's are the limit.
fn discrete<const N: usize>(mean: f64, variance: f64, levels: [f64; N]) -> [f64; N] {
    let excess = variance - mean;
    let poisson = excess < 1e-6 * mean;
    let (size, share) = (mean * mean / excess.max(1e-300), 1.0 - mean / variance);
    let mut probability = if poisson {
        (-mean).exp()
    } else {
        (size * (1.0 - share).ln()).exp()
    };
    // Far out in the tail there is nothing left to add.
    let most = mean + 60.0 * variance.sqrt() + 60.0;
    let (mut sum, mut k) = (probability, 0.0);
    levels.map(|level| {
        while sum < level && k < most {
            probability *= if poisson {
                mean / (k + 1.0)
            } else {
                (size + k) / (k + 1.0) * share
            };
            k += 1.0;
            sum += probability;
        }
        k
    })
}

/// Wilson and Hilferty's approximation: the cube root of a gamma variate is nearly normal.
fn gamma(mean: f64, variance: f64, level: f64) -> f64 {
    let relative = variance / (mean * mean);
    if relative > 0.5 {
        // Where the approximation fails, a log-normal of the same moments.
        let sigma = relative.ln_1p().sqrt();
        return mean * (sigma * normal(level) - sigma * sigma / 2.0).exp();
    }
    let ninth = relative / 9.0;
    let root = 1.0 - ninth + normal(level) * ninth.sqrt();
    mean * root.max(0.0).powi(3)
}

/// The standard normal quantile (Acklam's rational approximation, relative error below 1.2e-9).
#[must_use]
pub fn normal(level: f64) -> f64 {
    const A: [f64; 6] = [
        -3.969_683_028_665_376e1,
        2.209_460_984_245_205e2,
        -2.759_285_104_469_687e2,
        1.383_577_518_672_69e2,
        -3.066_479_806_614_716e1,
        2.506_628_277_459_239,
    ];
    const B: [f64; 5] = [
        -5.447_609_879_822_406e1,
        1.615_858_368_580_409e2,
        -1.556_989_798_598_866e2,
        6.680_131_188_771_972e1,
        -1.328_068_155_288_572e1,
    ];
    const C: [f64; 6] = [
        -7.784_894_002_430_293e-3,
        -3.223_964_580_411_365e-1,
        -2.400_758_277_161_838,
        -2.549_732_539_343_734,
        4.374_664_141_464_968,
        2.938_163_982_698_783,
    ];
    const D: [f64; 4] = [
        7.784_695_709_041_462e-3,
        3.224_671_290_700_398e-1,
        2.445_134_137_142_996,
        3.754_408_661_907_416,
    ];
    let poly = |c: &[f64], x: f64| c.iter().fold(0.0, |sum, c| sum * x + c);
    let tail = |q: f64| poly(&C, q) / (poly(&D, q) * q + 1.0);
    let level = level.clamp(1e-300, 1.0 - 1e-16);
    if level < 0.024_25 {
        tail((-2.0 * level.ln()).sqrt())
    } else if level > 1.0 - 0.024_25 {
        -tail((-2.0 * (1.0 - level).ln()).sqrt())
    } else {
        let q = level - 0.5;
        let r = q * q;
        poly(&A, r) * q / (poly(&B, r) * r + 1.0)
    }
}

/// The share of a standard normal below a score: the inverse of `normal`.
#[must_use]
pub fn below(score: f64) -> f64 {
    erfc(-score * std::f64::consts::FRAC_1_SQRT_2) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_tables() {
        // Sums of the exact probabilities; for gamma, tables of its quantiles.
        assert_eq!(
            quantiles(6.0, 6.0, true, [0.05, 0.5, 0.95, 0.99]),
            [2.0, 6.0, 10.0, 12.0]
        );
        assert_eq!(
            quantiles(6.0, 12.0, true, [0.05, 0.4, 0.95, 0.99]),
            [1.0, 5.0, 12.0, 16.0]
        );
        let [median, high] = quantiles(1000.0, 40_000.0, true, [0.5, 0.95]);
        assert!((median - 986.7).abs() < 1.0, "{median}");
        assert!((high - 1350.0).abs() < 5.0, "{high}");
        assert!((normal(0.975) - 1.959_963_985).abs() < 1e-6);
        for score in [-3.0, -0.7, 0.0, 1.0, 2.5, 3.5] {
            assert!((normal(below(score)) - score).abs() < 1e-6, "{score}");
        }
    }

    #[test]
    fn nothing_expected_is_nothing_needed() {
        assert_eq!(quantiles(0.0, 0.0, true, [0.5, 0.99]), [0.0, 0.0]);
        assert_eq!(quantiles(f64::NAN, 1.0, false, [0.5]), [0.0]);
    }
}
