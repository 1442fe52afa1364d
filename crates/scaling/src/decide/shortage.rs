//! When all wishes together cost more than may be spent, the less important gives way: first it does not grow, and in a
//! declared emergency it shrinks to its least, so that the most important has what it needs.

use std::{cmp::Reverse, collections::BTreeMap};

use super::combine::Wish;
use crate::{Resource, Snapshot, limits::Limits};

pub(super) fn give_way(
    wishes: &mut BTreeMap<Resource, Wish>,
    limits: &Limits,
    snapshot: &Snapshot,
) {
    let Some(budget) = limits.monthly_budget else {
        return;
    };
    let mut last_first: Vec<Resource> = wishes.keys().copied().collect();
    last_first.sort_by_key(|resource| (Reverse(limits.resources[resource].priority), *resource));
    for resource in &last_first {
        let over = cost(wishes, limits) - budget;
        let floor = wishes[resource].current;
        trim(wishes, limits, *resource, over, floor, "monthly budget");
    }
    let emergency = snapshot
        .emergency
        .as_ref()
        .is_some_and(|emergency| emergency.ends_at > snapshot.at);
    if !emergency {
        return;
    }
    for resource in &last_first {
        let over = cost(wishes, limits) - budget;
        let floor = limits.resources[resource].min;
        trim(
            wishes,
            limits,
            *resource,
            over,
            floor,
            "given to what is more urgent in the emergency",
        );
    }
}

fn cost(wishes: &BTreeMap<Resource, Wish>, limits: &Limits) -> f64 {
    let counts = wishes
        .iter()
        .map(|(resource, wish)| (*resource, wish.to))
        .collect();
    limits.monthly_cost(&counts)
}

/// Takes from one wish what is over, down to `floor`.
fn trim(
    wishes: &mut BTreeMap<Resource, Wish>,
    limits: &Limits,
    resource: Resource,
    over: f64,
    floor: i32,
    why: &str,
) {
    let each = limits.resources[&resource].monthly_cost;
    let Some(wish) = wishes.get_mut(&resource) else {
        return;
    };
    if over <= 0.0 || each <= 0.0 || wish.to <= floor {
        return;
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a count of replicas; a larger one is cut at the wish itself"
    )]
    let too_many = (over / each).ceil().min(f64::from(wish.to - floor)) as i32;
    let to = wish.to - too_many;
    wish.limits
        .push(format!("{why}: {} was wanted, {to} is left", wish.to));
    wish.to = to;
}
