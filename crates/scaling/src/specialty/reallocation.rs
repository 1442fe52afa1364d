//! Who gets what when capacity is short: minimums first, then by priority; what is lost is taken from the lowest.

use serde::{Deserialize, Serialize};

/// What one specialty or kind of work has and wants, in instances.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    pub name: String,
    /// The higher is served first.
    pub priority: i32,
    pub minimum: u32,
    pub current: u32,
    pub wanted: u32,
    /// Each of its instances needs a GPU too.
    pub gpu: bool,
}

/// The budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capacity {
    pub instances: u32,
    pub gpus: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    Instance,
    Gpu,
}

/// What one lost to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Taken {
    pub unit: Unit,
    pub from: String,
    pub to: String,
    pub count: u32,
}

/// In the order of priority, then of names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allocation {
    pub shares: Vec<Share>,
    pub taken: Vec<Taken>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Share {
    pub name: String,
    pub granted: u32,
    /// What it wanted and did not get.
    pub short: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error(
        "the minimums need {instances} instances and {gpus} GPUs, but there are {} and {}: add capacity or lower a minimum",
        capacity.instances, capacity.gpus
    )]
    MinimumsOverCapacity {
        instances: u64,
        gpus: u64,
        capacity: Capacity,
    },
    #[error("two claims are called {name:?}: give each its own name")]
    Twice { name: String },
}

/// Never more than the capacity, never less than a minimum. Equal claims give equal allocations, in whatever order.
///
/// # Errors
/// Minimums that together are over the capacity, or a name that is there twice: nothing is allocated then.
pub fn reallocate(claims: &[Claim], capacity: Capacity) -> Result<Allocation, Error> {
    let mut order: Vec<&Claim> = claims.iter().collect();
    order.sort_by(|a, b| {
        b.priority
            .cmp(&a.priority)
            .then_with(|| a.name.cmp(&b.name))
    });
    check(&order, capacity)?;
    let gpu_of = |claim: &Claim, count: u32| if claim.gpu { count } else { 0 };
    let mut free = capacity;
    for claim in &order {
        free.instances -= claim.minimum;
        free.gpus -= gpu_of(claim, claim.minimum);
    }
    let mut shares = Vec::new();
    for claim in &order {
        let wanted = claim.wanted.max(claim.minimum);
        let most = if claim.gpu {
            free.instances.min(free.gpus)
        } else {
            free.instances
        };
        let more = (wanted - claim.minimum).min(most);
        free.instances -= more;
        free.gpus -= gpu_of(claim, more);
        shares.push(Share {
            name: claim.name.clone(),
            granted: claim.minimum + more,
            short: wanted - claim.minimum - more,
        });
    }
    let mut taken = taken(Unit::Instance, &order, &shares, |_| true);
    taken.extend(self::taken(Unit::Gpu, &order, &shares, |claim| claim.gpu));
    Ok(Allocation { shares, taken })
}

fn check(order: &[&Claim], capacity: Capacity) -> Result<(), Error> {
    let mut names: Vec<&str> = order.iter().map(|claim| claim.name.as_str()).collect();
    names.sort_unstable();
    if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(Error::Twice {
            name: pair[0].to_owned(),
        });
    }
    let sum = |of: fn(&&&Claim) -> bool| -> u64 {
        order
            .iter()
            .filter(of)
            .map(|claim| u64::from(claim.minimum))
            .sum()
    };
    let (instances, gpus) = (sum(|_| true), sum(|claim| claim.gpu));
    if instances > u64::from(capacity.instances) || gpus > u64::from(capacity.gpus) {
        return Err(Error::MinimumsOverCapacity {
            instances,
            gpus,
            capacity,
        });
    }
    Ok(())
}

/// Matches who gained with who lost: the highest priority's gain comes from the lowest one's loss first. What is gained beyond
/// that was free before.
fn taken(
    unit: Unit,
    order: &[&Claim],
    shares: &[Share],
    has: impl Fn(&Claim) -> bool,
) -> Vec<Taken> {
    let both = || order.iter().zip(shares).filter(|(claim, _)| has(claim));
    let mut losses: Vec<(&str, u32)> = both()
        .rev()
        .filter_map(|(claim, share)| {
            let lost = claim.current.checked_sub(share.granted)?;
            // Who wants less than it has gives it up: nothing is taken from it.
            let unwanted = claim
                .current
                .saturating_sub(claim.wanted.max(claim.minimum));
            Some((claim.name.as_str(), lost - unwanted.min(lost)))
        })
        .filter(|(_, lost)| *lost > 0)
        .collect();
    let mut taken = Vec::new();
    for (claim, share) in both() {
        let mut gain = share.granted.saturating_sub(claim.current);
        for (from, lost) in &mut losses {
            let count = gain.min(*lost);
            if count > 0 {
                gain -= count;
                *lost -= count;
                taken.push(Taken {
                    unit,
                    from: (*from).to_owned(),
                    to: claim.name.clone(),
                    count,
                });
            }
        }
    }
    taken
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn claim(
        name: &str,
        priority: i32,
        minimum: u32,
        current: u32,
        wanted: u32,
        gpu: bool,
    ) -> Claim {
        Claim {
            name: name.to_owned(),
            priority,
            minimum,
            current,
            wanted,
            gpu,
        }
    }

    #[test]
    fn an_emergency_takes_from_the_lowest_priority_first_and_leaves_its_minimum() {
        let claims = [
            claim("general_practice", 1, 2, 5, 5, false),
            claim("radiology", 2, 1, 3, 3, true),
            claim("emergency", 10, 4, 4, 8, true),
        ];
        let allocation = reallocate(
            &claims,
            Capacity {
                instances: 12,
                gpus: 10,
            },
        )
        .unwrap();
        let granted: Vec<(&str, u32)> = allocation
            .shares
            .iter()
            .map(|share| (share.name.as_str(), share.granted))
            .collect();
        assert_eq!(
            granted,
            [("emergency", 8), ("radiology", 2), ("general_practice", 2)]
        );
        let said: Vec<(Unit, &str, &str, u32)> = allocation
            .taken
            .iter()
            .map(|one| (one.unit, one.from.as_str(), one.to.as_str(), one.count))
            .collect();
        assert_eq!(
            said,
            [
                (Unit::Instance, "general_practice", "emergency", 3),
                (Unit::Instance, "radiology", "emergency", 1),
                (Unit::Gpu, "radiology", "emergency", 1),
            ]
        );
    }

    #[test]
    fn what_cannot_be_allocated_says_why() {
        let claims = [claim("a", 1, 3, 3, 3, true), claim("b", 1, 3, 3, 3, false)];
        let short = reallocate(
            &claims,
            Capacity {
                instances: 5,
                gpus: 9,
            },
        )
        .unwrap_err();
        assert!(
            short
                .to_string()
                .contains("need 6 instances and 3 GPUs, but there are 5 and 9")
        );
        let twice = [claims[0].clone(), claims[0].clone()];
        let twice = reallocate(
            &twice,
            Capacity {
                instances: 9,
                gpus: 9,
            },
        )
        .unwrap_err();
        assert!(twice.to_string().contains("\"a\""));
    }

    fn claims() -> impl Strategy<Value = Vec<Claim>> {
        let one = (0..4_i32, 0..4_u32, 0..8_u32, 0..12_u32, any::<bool>());
        prop::collection::vec(one, 1..7).prop_map(|all| {
            (0..)
                .zip(all)
                .map(|(index, (priority, minimum, current, wanted, gpu))| {
                    claim(
                        &format!("s{index}"),
                        priority,
                        minimum,
                        current,
                        wanted,
                        gpu,
                    )
                })
                .collect()
        })
    }

    proptest! {
        #[test]
        fn shares_keep_to_capacity_minimums_and_priority_and_add_up(
            mut claims in claims(), instances in 0..60_u32, gpus in 0..40_u32, turn in 0..7_usize,
        ) {
            claims.push(claim("emergency", 10, 2, 2, 8, true));
            let capacity = Capacity { instances, gpus };
            let Ok(allocation) = reallocate(&claims, capacity) else { return Ok(()) };
            let of = |name: &str| allocation.shares.iter().find(|share| share.name == name).unwrap();

            let total: u32 = allocation.shares.iter().map(|share| share.granted).sum();
            let with_gpu = claims.iter().filter(|claim| claim.gpu);
            let total_gpus: u32 = with_gpu.map(|claim| of(&claim.name).granted).sum();
            prop_assert!(total <= instances && total_gpus <= gpus);

            let mut demand = 0;
            for claim in &claims {
                let share = of(&claim.name);
                let wanted = claim.wanted.max(claim.minimum);
                demand += wanted;
                prop_assert!(share.granted >= claim.minimum);
                prop_assert_eq!(share.granted + share.short, wanted);
                // Who is short could not be given more, and nobody below it has more than its minimum of what it lacks.
                if share.short > 0 {
                    for below in claims.iter().filter(|one| one.priority < claim.priority) {
                        let more = of(&below.name).granted > below.minimum;
                        prop_assert!(!more || (claim.gpu && !below.gpu), "{claim:?} {below:?}");
                    }
                }
            }
            if gpus >= instances {
                prop_assert_eq!(total, demand.min(instances));
            }

            for unit in [Unit::Instance, Unit::Gpu] {
                for claim in &claims {
                    let sum = |of: fn(&Taken) -> &String| -> u32 {
                        let taken = allocation.taken.iter().filter(|one| one.unit == unit);
                        taken.filter(|one| *of(one) == claim.name).map(|one| one.count).sum()
                    };
                    let granted = of(&claim.name).granted;
                    prop_assert!(sum(|one| &one.from) <= claim.current.saturating_sub(granted));
                    prop_assert!(sum(|one| &one.to) <= granted.saturating_sub(claim.current));
                }
            }

            let turn = turn % claims.len();
            claims.rotate_left(turn);
            prop_assert_eq!(reallocate(&claims, capacity).unwrap(), allocation);
        }
    }
}
