//! What capacity costs a month. The defaults are the seed's prices: 200 an instance, two workers of 150 with each, 500 for the rest.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Prices in one currency, a month each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Prices {
    pub currency: String,
    /// What is paid whatever runs.
    pub base: f64,
    pub app_instance: f64,
    pub worker: f64,
    /// Workers that come with each instance.
    pub workers_per_instance: f64,
    /// What an instance of a model costs with a GPU, and without.
    pub gpu_instance: f64,
    pub cpu_instance: f64,
}

impl Default for Prices {
    fn default() -> Self {
        Self {
            currency: "USD".to_owned(),
            base: 500.0,
            app_instance: 200.0,
            worker: 150.0,
            workers_per_instance: 2.0,
            // AWS p3.2xlarge, the seed's GPU machine, on demand in us-east-1 at 3.06 an hour.
            gpu_instance: 2_234.0,
            cpu_instance: 200.0,
        }
    }
}

impl Prices {
    /// # Errors
    /// A price that is negative or no number, by its name.
    pub fn check(&self) -> Result<(), String> {
        let prices = [
            ("base", self.base),
            ("app_instance", self.app_instance),
            ("worker", self.worker),
            ("workers_per_instance", self.workers_per_instance),
            ("gpu_instance", self.gpu_instance),
            ("cpu_instance", self.cpu_instance),
        ];
        match prices
            .into_iter()
            .find(|(_, price)| !(price.is_finite() && *price >= 0.0))
        {
            Some((name, price)) => Err(format!("{name} is {price}: a price is a number from 0 up")),
            None => Ok(()),
        }
    }

    /// A month with so many app instances and their workers.
    #[must_use]
    pub fn month(&self, instances: u32) -> f64 {
        let each = self.app_instance + self.workers_per_instance * self.worker;
        self.base + f64::from(instances) * each
    }

    /// A month of a specialty's models.
    #[must_use]
    pub fn models(&self, instances: u32, gpu: bool) -> f64 {
        f64::from(instances)
            * if gpu {
                self.gpu_instance
            } else {
                self.cpu_instance
            }
    }
}

/// Divides an amount by what each facility or specialty used. Parts are whole cents and add up to the amount; cents that are left go to
/// the largest remainders. Where nobody used anything, each bears the same.
#[must_use]
pub fn shares(amount: f64, used: &BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    let used_by = |amount: f64| {
        if amount.is_finite() {
            amount.max(0.0)
        } else {
            0.0
        }
    };
    let total: f64 = used.values().map(|it| used_by(*it)).sum();
    let cents = (100.0 * amount).round();
    let even = cents / (used.len().max(1) as f64);
    let mut parts: Vec<(&String, f64, f64)> = used
        .iter()
        .map(|(name, used)| {
            let exact = if total > 0.0 {
                cents * used_by(*used) / total
            } else {
                even
            };
            (name, exact.floor(), exact - exact.floor())
        })
        .collect();
    let left = cents - parts.iter().map(|part| part.1).sum::<f64>();
    parts.sort_by(|a, b| b.2.total_cmp(&a.2).then(a.0.cmp(b.0)));
    for part in parts.iter_mut().take(left as usize) {
        part.1 += 1.0;
    }
    parts
        .into_iter()
        .map(|(name, cents, _)| (name.clone(), cents / 100.0))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_costs_what_the_seed_says() {
        let prices = Prices::default();
        assert!((prices.month(3) - 2_000.0).abs() < 1e-9);
        assert!((prices.month(12) - 6_500.0).abs() < 1e-9);
    }

    #[test]
    fn shares_add_up_to_the_cent() {
        let used = BTreeMap::from([
            ("a".to_owned(), 1.0),
            ("b".to_owned(), 1.0),
            ("c".to_owned(), 1.0),
        ]);
        let shares = shares(100.0, &used);
        assert_eq!(
            shares.values().copied().collect::<Vec<_>>(),
            [33.34, 33.33, 33.33]
        );
    }

    proptest::proptest! {
        #[test]
        fn nothing_is_lost_or_made_by_dividing(amount in 0.0..1e6_f64, used in proptest::collection::vec(0.0..1e4_f64, 1..30)) {
            let used = used.into_iter().enumerate().map(|(at, used)| (at.to_string(), used)).collect();
            let total: f64 = super::shares(amount, &used).values().sum();
            proptest::prop_assert!((total - amount).abs() < 0.006, "{total} {amount}");
        }
    }
}
