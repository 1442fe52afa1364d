//! Whether to fail over, and to whom. Pure.

/// One server, as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub name: String,
    /// None when it does not answer.
    pub standing: Option<Standing>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub is_replica: bool,
    /// How much of the log it has on disk.
    pub received: u64,
    /// Whether it receives the log now.
    pub follows: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Never to take a write again before it is brought back.
    pub cut_off: Vec<String>,
    /// Replicas that answer.
    pub candidates: Vec<String>,
}

/// # Errors
/// Says why not.
pub fn choose(seen: &[Seen], planned: bool, accept_possible_loss: bool) -> anyhow::Result<Choice> {
    let is = |wanted: fn(Standing) -> bool| -> Vec<String> {
        let fits = seen
            .iter()
            .filter(|server| server.standing.is_some_and(wanted));
        fits.map(|server| server.name.clone()).collect()
    };
    let primaries = is(|standing| !standing.is_replica);
    let candidates = is(|standing| standing.is_replica);
    anyhow::ensure!(
        !candidates.is_empty(),
        "no replica answers: there is nobody to promote"
    );
    anyhow::ensure!(
        planned || primaries.is_empty(),
        "{} is the primary and answers: with --planned callers are switched over in order",
        primaries.join(" and ")
    );
    anyhow::ensure!(
        !planned || primaries.len() == 1,
        "--planned needs one primary that answers, and {} do",
        primaries.len()
    );
    // The one that is promoted needs another that confirms its commits.
    let following = is(|standing| standing.is_replica && standing.follows).len();
    anyhow::ensure!(
        !planned || following > 1,
        "{following} of the replicas follow the primary, and after the switch nobody would confirm a commit: bring the others back first"
    );
    let silent: Vec<String> = seen
        .iter()
        .filter(|server| server.standing.is_none())
        .map(|server| server.name.clone())
        .collect();
    // One of those who don't answer was the primary; any other may have what no candidate has: a commit is acknowledged when
    // one replica has it.
    let replicas_away = (silent.len() + primaries.len()).saturating_sub(1);
    anyhow::ensure!(
        planned || replicas_away == 0 || accept_possible_loss,
        "{} do not answer, and one of them may have commits that no other has: start one, or --accept-possible-loss",
        silent.join(" and ")
    );
    let cut_off = if planned { primaries } else { silent };
    Ok(Choice {
        cut_off,
        candidates,
    })
}

/// The candidate that has most of the log; of equals the first.
#[must_use]
pub fn furthest(seen: &[Seen], candidates: &[String]) -> Option<String> {
    let there = seen
        .iter()
        .filter(|server| candidates.contains(&server.name));
    let replicas = there.filter_map(|server| {
        let standing = server.standing.filter(|standing| standing.is_replica)?;
        Some((standing.received, server))
    });
    replicas
        .rev()
        .max_by_key(|(received, _)| *received)
        .map(|(_, server)| server.name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(name: &str, standing: Option<(bool, u64)>) -> Seen {
        Seen {
            name: name.to_owned(),
            standing: standing.map(|(is_replica, received)| Standing {
                is_replica,
                received,
                follows: is_replica,
            }),
        }
    }

    #[test]
    fn a_primary_that_answers_is_replaced_only_when_that_is_planned() {
        let all = [
            seen("db1", Some((false, 9))),
            seen("db2", Some((true, 9))),
            seen("db3", Some((true, 8))),
        ];
        assert!(
            choose(&all, false, false)
                .unwrap_err()
                .to_string()
                .contains("--planned")
        );
        let choice = choose(&all, true, false).unwrap();
        assert_eq!(
            (choice.cut_off, choice.candidates.len()),
            (vec!["db1".to_owned()], 2)
        );
    }

    #[test]
    fn nobody_is_switched_over_to_a_server_that_nobody_would_confirm() {
        let mut all = [
            seen("db1", Some((false, 9))),
            seen("db2", Some((true, 9))),
            seen("db3", Some((true, 9))),
        ];
        assert!(choose(&all, true, false).is_ok());
        if let Some(standing) = &mut all[2].standing {
            standing.follows = false;
        }
        assert!(choose(&all, true, false).is_err());
    }

    #[test]
    fn who_may_have_what_no_other_has_is_not_passed_over_in_silence() {
        let all = [
            seen("db1", None),
            seen("db2", Some((true, 9))),
            seen("db3", None),
        ];
        assert!(choose(&all, false, false).is_err());
        assert_eq!(choose(&all, false, true).unwrap().cut_off, ["db1", "db3"]);
        let all = [
            seen("db1", None),
            seen("db2", Some((true, 9))),
            seen("db3", Some((true, 9))),
        ];
        assert_eq!(choose(&all, false, false).unwrap().cut_off, ["db1"]);
    }

    #[test]
    fn nobody_is_promoted_when_nobody_answers() {
        assert!(choose(&[seen("db1", None), seen("db2", None)], false, true).is_err());
    }

    #[test]
    fn who_has_most_of_the_log_is_chosen_and_of_equals_the_first() {
        let names = ["db2".to_owned(), "db3".to_owned()];
        let all = [
            seen("db1", Some((false, 99))),
            seen("db2", Some((true, 7))),
            seen("db3", Some((true, 8))),
        ];
        assert_eq!(furthest(&all, &names).as_deref(), Some("db3"));
        let all = [seen("db2", Some((true, 8))), seen("db3", Some((true, 8)))];
        assert_eq!(furthest(&all, &names).as_deref(), Some("db2"));
    }
}
