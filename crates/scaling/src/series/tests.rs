use super::*;

#[test]
fn a_step_is_read_and_shown_as_people_write_it() {
    for (text, step, shown) in [
        ("15s", Step::Seconds(15), "15 seconds"),
        ("48h", Step::Seconds(172_800), "48 hours"),
        ("8w", Step::Days(56), "8 weeks"),
        ("12mo", Step::Months(12), "1 year"),
        ("1d", DAY, "1 day"),
    ] {
        assert_eq!(text.parse(), Ok(step));
        assert_eq!(step.to_string(), shown);
    }
    assert!("eight weeks".parse::<Step>().is_err());
    assert!("0h".parse::<Step>().is_err());
}

#[test]
fn a_day_of_23_hours_is_a_day() {
    let zone = TimeZone::get("Europe/Amsterdam").unwrap();
    let start = civil::date(2024, 3, 30).at(0, 0, 0, 0);
    let start = zone.to_timestamp(start).unwrap();
    let hours = Series::new(start, HOUR, zone, Combine::Sum, vec![1.0; 24 + 23 + 24]);
    let days = hours.in_steps_of(DAY);
    assert_eq!(days.values(), [24.0, 23.0, 24.0]);
    assert_eq!(days.local_time(2), civil::date(2024, 4, 1).at(0, 0, 0, 0));
}

#[test]
fn incomplete_months_at_the_ends_are_left_out() {
    let days = Series::local(
        civil::date(2023, 1, 20).at(0, 0, 0, 0),
        DAY,
        Combine::Sum,
        vec![2.0; 12 + 28 + 31 + 10],
    );
    let months = days.in_steps_of(MONTH);
    assert_eq!(months.values(), [56.0, 62.0]);
    assert_eq!(months.local_time(0).date(), civil::date(2023, 2, 1));
}

#[test]
fn what_is_not_known_is_not_zero() {
    let mut values = vec![1.0; 48];
    values[..20].fill(f64::NAN);
    let start = civil::date(2023, 1, 2).at(0, 0, 0, 0);
    let hours = Series::local(start, HOUR, Combine::Sum, values);
    let days = hours.in_steps_of(DAY);
    assert!(days.values()[0].is_nan());
    assert!((days.values()[1] - 24.0).abs() < 1e-9);
}
