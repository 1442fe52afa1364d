//! Which processes of a pool to start and which to let go, so that there are as many as wanted. Pure.

use std::cmp::Reverse;

/// One process of a pool, as its supervisor knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member<Id> {
    pub id: Id,
    /// Jobs or requests it is at. None when that is not known.
    pub busy: Option<u32>,
    /// It was asked to finish and end.
    pub leaving: bool,
    /// It lives, but is not heard of any more.
    pub silent: bool,
    /// When it was started: higher is later.
    pub started: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Move<Id> {
    Start(usize),
    /// Ask it to finish what it is doing and end.
    Drain(Id),
}

/// The moves that lead from `members` to `wanted`. Of too many, those that are silent leave first, then the idle ones, of those the
/// youngest, so that nobody's work is handed over without need.
#[must_use]
pub fn reconcile<Id: Clone>(wanted: usize, members: &[Member<Id>]) -> Vec<Move<Id>> {
    let mut staying: Vec<&Member<Id>> = members.iter().filter(|member| !member.leaving).collect();
    if staying.len() < wanted {
        return vec![Move::Start(wanted - staying.len())];
    }
    // Of whom nothing is known yet has just been started, and is as good as idle.
    staying.sort_by_key(|member| {
        let busy = member.busy.unwrap_or(0);
        (!member.silent, busy, Reverse(member.started))
    });
    let too_many = staying.len() - wanted;
    staying
        .into_iter()
        .take(too_many)
        .map(|member| Move::Drain(member.id.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: u32, busy: u32) -> Member<u32> {
        Member {
            id,
            busy: Some(busy),
            leaving: false,
            silent: false,
            started: u64::from(id),
        }
    }

    #[test]
    fn what_is_missing_is_started_and_who_is_leaving_does_not_count() {
        let mut members = vec![member(1, 0), member(2, 0)];
        assert_eq!(reconcile(4, &members), [Move::Start(2)]);
        members[0].leaving = true;
        assert_eq!(reconcile(4, &members), [Move::Start(3)]);
        assert_eq!(reconcile(1, &members), []);
    }

    #[test]
    fn the_idle_leave_before_the_busy_and_of_the_idle_the_youngest() {
        let members = [member(1, 0), member(2, 3), member(3, 0), member(4, 1)];
        assert_eq!(reconcile(3, &members), [Move::Drain(3)]);
        assert_eq!(reconcile(2, &members), [Move::Drain(3), Move::Drain(1)]);
        assert_eq!(reconcile(0, &members).len(), 4);
    }

    #[test]
    fn who_is_silent_leaves_before_who_is_idle() {
        let mut members = [member(1, 0), member(2, 0), member(3, 0)];
        members[0].silent = true;
        assert_eq!(reconcile(2, &members), [Move::Drain(1)]);
        assert_eq!(reconcile(1, &members), [Move::Drain(1), Move::Drain(3)]);
    }

    #[test]
    fn once_done_nothing_is_left_to_do() {
        let members: Vec<_> = (0..7).map(|id| member(id, id % 3)).collect();
        for wanted in 0..10 {
            let mut after = members.clone();
            for step in reconcile(wanted, &members) {
                match step {
                    Move::Start(more) => {
                        after.extend((0..more).map(|n| member(100 + u32::try_from(n).unwrap(), 0)));
                    }
                    Move::Drain(id) => {
                        after.iter_mut().find(|m| m.id == id).unwrap().leaving = true;
                    }
                }
            }
            assert_eq!(reconcile(wanted, &after), []);
        }
    }
}
