//! Every single change of a random trail is noticed and named.

use proptest::prelude::*;

use super::*;

fn range_of(batches: &[u64], index: u64) -> (u64, u64) {
    let mut from = 0;
    for batch in batches {
        if index < from + batch {
            return (from, from + batch - 1);
        }
        from += batch;
    }
    unreachable!()
}

const CHANGES: [fn(&mut AuditEvent); 9] = [
    |e| e.id = Uuid::from_u128(999_999),
    |e| e.at = "2030-01-01T00:00:00Z".parse().unwrap(),
    |e| e.facility = Some(FacilityId(8)),
    |e| e.actor = "someone".to_owned(),
    |e| e.action = "record.list".to_owned(),
    |e| e.resource = "patient".to_owned(),
    |e| e.resource_id = "x".to_owned(),
    |e| e.outcome = Outcome::Failure,
    |e| e.details = json!({"n": "x"}),
];

prop_compose! {
    fn batches_and_index()(batches in proptest::collection::vec(1u64..12, 1..8))
        (index in 0..batches.iter().sum::<u64>(), batches in Just(batches)) -> (Vec<u64>, u64) {
        (batches, index)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_untouched_trail_is_proven((batches, _) in batches_and_index()) {
        let report = trail(&batches).verify();
        prop_assert!(report.is_proven(), "{:?}", report.findings);
        prop_assert_eq!(report.size, batches.iter().sum::<u64>());
        prop_assert_eq!(report.entries, report.size);
    }

    #[test]
    fn a_changed_field_is_named((batches, index) in batches_and_index(), which in 0..CHANGES.len()) {
        let mut trail = trail(&batches);
        CHANGES[which](&mut trail.entry(index).event);
        let id = trail.entry(index).event.id;
        prop_assert_eq!(trail.findings(), vec![Finding::Changed { index, id }]);
    }

    #[test]
    fn an_entry_that_was_changed_with_its_hash_is_named_by_its_batch((batches, index) in batches_and_index()) {
        let mut trail = trail(&batches);
        let entry = trail.entry(index);
        entry.event.actor.push('x');
        entry.leaf = Some(Leaf { index, hash: leaf_hash(&entry.event, index) });
        let (from, to) = range_of(&batches, index);
        prop_assert_eq!(trail.findings(), vec![Finding::ChangedWithHash { from, to }]);
    }

    #[test]
    fn a_dropped_entry_is_named((batches, index) in batches_and_index()) {
        let mut trail = trail(&batches);
        let at = trail.position(index);
        trail.0.remove(at);
        prop_assert_eq!(trail.findings(), vec![Finding::Missing { from: index, to: index }]);
    }

    #[test]
    fn an_entry_that_lost_its_place_is_missed((batches, index) in batches_and_index()) {
        let mut trail = trail(&batches);
        trail.entry(index).leaf = None;
        prop_assert_eq!(trail.findings(), vec![Finding::Missing { from: index, to: index }]);
    }

    #[test]
    fn two_entries_in_the_wrong_order_are_named((batches, index) in batches_and_index()) {
        let mut trail = trail(&batches);
        prop_assume!(index > 0);
        let (one, other) = (trail.position(index - 1), trail.position(index));
        trail.0.swap(one, other);
        let id = event(index - 1).id;
        let late = Finding::OutOfOrder { index: index - 1, id };
        prop_assert!(trail.findings().contains(&late));
    }

    #[test]
    fn two_entries_that_swapped_places_are_both_named((batches, index) in batches_and_index()) {
        let mut trail = trail(&batches);
        prop_assume!(index > 0);
        let (one, other) = (event(index - 1), event(index));
        trail.entry(index - 1).event = other.clone();
        trail.entry(index).event = one.clone();
        let expected = vec![
            Finding::Changed { index: index - 1, id: other.id },
            Finding::Changed { index, id: one.id },
        ];
        prop_assert_eq!(trail.findings(), expected);
    }

    #[test]
    fn an_inserted_entry_is_named((batches, index) in batches_and_index()) {
        let mut trail = trail(&batches);
        let mut forged = event(index);
        forged.id = Uuid::from_u128(999_999);
        let leaf = Some(Leaf { index, hash: leaf_hash(&forged, index) });
        let at = trail.position(index);
        trail.0.insert(at + 1, Line::Entry(Entry { event: forged.clone(), leaf }));
        prop_assert_eq!(trail.findings(), vec![Finding::Inserted { index, id: forged.id }]);
        trail.0.swap(at, at + 1);
        let (from, to) = range_of(&batches, index);
        let changed = Finding::ChangedWithHash { from, to };
        prop_assert!(trail.findings().contains(&changed));
    }

    #[test]
    fn an_entry_that_made_all_later_ones_move_up_is_noticed((batches, index) in batches_and_index()) {
        let mut trail = trail(&batches);
        let at = trail.position(index);
        let mut forged = event(index);
        forged.id = Uuid::from_u128(999_999);
        trail.0.insert(at, Line::Entry(Entry { event: forged, leaf: None }));
        let mut next = index;
        for line in &mut trail.0[at..] {
            if let Line::Entry(entry) = line {
                entry.leaf = Some(Leaf { index: next, hash: leaf_hash(&entry.event, next) });
                next += 1;
            }
        }
        let findings = trail.findings();
        prop_assert!(!findings.is_empty());
        prop_assert!(findings.iter().all(|finding| finding.place() >= range_of(&batches, index).0));
    }

    #[test]
    fn a_cut_off_end_is_named((batches, index) in batches_and_index()) {
        let mut trail = trail(&batches);
        let total: u64 = batches.iter().sum();
        let at = trail.position(index);
        let mut nth = 0;
        trail.0.retain(|line| {
            nth += 1;
            nth <= at || matches!(line, Line::Checkpoint(_))
        });
        let missing: u64 = trail.findings().iter().map(|finding| {
            let Finding::Missing { from, to } = finding else { panic!("{finding:?}") };
            to - from + 1
        }).sum();
        prop_assert_eq!(missing, total - index);
    }

    #[test]
    fn a_changed_checkpoint_is_named((batches, index) in batches_and_index(), at in 0usize..150) {
        let mut trail = trail(&batches);
        let nth = usize::try_from(index).unwrap() % batches.len();
        let checkpoint = trail.checkpoint(nth);
        let size = checkpoint.size;
        let mut note: Vec<char> = checkpoint.note.chars().collect();
        let at = at % (note.len() - 1);
        note[at] = if note[at] == 'B' { 'C' } else { 'B' };
        checkpoint.note = note.into_iter().collect();
        let findings = trail.findings();
        let named = findings.iter().any(|f| matches!(f, Finding::BadCheckpoint { size: s, .. } if *s == size));
        prop_assert!(named, "{findings:?}");
    }

    #[test]
    fn a_changed_frontier_is_named_and_hides_nothing((batches, index) in batches_and_index()) {
        let mut trail = trail(&batches);
        trail.checkpoint(0).frontier[9] ^= 1;
        let entry = trail.entry(index);
        entry.event.actor.push('x');
        let id = entry.event.id;
        let findings = trail.findings();
        prop_assert_eq!(findings.len(), 2, "{:?}", findings);
        let changed = Finding::Changed { index, id };
        prop_assert!(findings.contains(&changed));
    }

    #[test]
    fn a_dropped_checkpoint_is_noticed((batches, index) in batches_and_index()) {
        let mut trail = trail(&batches);
        let positions = trail.checkpoint_positions();
        let nth = usize::try_from(index).unwrap() % positions.len();
        trail.0.remove(positions[nth]);
        let (from, to) = range_of(&batches, batches[..nth].iter().sum());
        let expected = match batches.get(nth + 1) {
            None => Finding::NotSigned { from, to },
            Some(batch) => Finding::CheckpointOutOfChain { size: to + 1 + batch },
        };
        prop_assert_eq!(trail.findings(), vec![expected]);
    }
}
