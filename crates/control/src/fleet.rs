//! Which processes of a pool to start and which to let go, so that there are as many as wanted. Pure.

/// One process of a pool, as its supervisor knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member<Id> {
    pub id: Id,
    /// Jobs or requests it is at. None when that is not known.
    pub busy: Option<u32>,
    /// It was asked to finish and end.
    pub leaving: bool,
    /// When it was started: higher is later.
    pub started: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Move<Id> {
    Start(usize),
    /// Ask it to finish what it is doing and end.
    Drain(Id),
}

/// The moves that lead from `members` to `wanted`. Of too many, the idle ones leave first, of those the youngest, so that
/// nobody's work is handed over without need.
#[must_use]
pub fn reconcile<Id: Clone>(wanted: usize, members: &[Member<Id>]) -> Vec<Move<Id>> {
    let mut staying: Vec<&Member<Id>> = members.iter().filter(|member| !member.leaving).collect();
    if staying.len() < wanted {
        return vec![Move::Start(wanted - staying.len())];
    }
    // Of whom nothing is known yet has just been started, and is as good as idle.
    staying.sort_by_key(|member| (member.busy.unwrap_or(0), std::cmp::Reverse(member.started)));
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
