use super::*;
use crate::series::{DAY, HOUR, MONTH, WEEK};

fn read_text(text: &str, options: &Options) -> Result<Trace, Error> {
    read("t.csv", text.as_bytes(), options)
}

fn trace(text: &str) -> Trace {
    read_text(text, &Options::default()).unwrap()
}

fn hourly(rows: &[&str]) -> String {
    let rows = rows.iter().enumerate();
    let lines = rows.map(|(hour, value)| format!("2024-05-01 {hour:02}:00:00,{value}\n"));
    format!("timestamp,value\n{}", lines.collect::<String>())
}

#[test]
fn the_step_is_found_from_the_rows() {
    for (step, rows) in [
        (
            HOUR,
            "a,b\n2024-05-01 00:00,1\n2024-05-01 01:00,2\n2024-05-01 02:00,3\n",
        ),
        (DAY, "a,b\n2024-05-01,1\n2024-05-02,2\n2024-05-03,3\n"),
        (WEEK, "a,b\n2024-05-01,1\n2024-05-08,2\n2024-05-15,3\n"),
        (MONTH, "a,b\n2024-01,1\n2024-02,2\n2024-03,3\n2024-04,3\n"),
        (
            Step::Seconds(15),
            "a;b\n1714557600;1\n1714557615;2\n1714557630;3\n",
        ),
    ] {
        let trace = trace(rows);
        assert_eq!(trace.series.step(), step, "{rows}");
        assert_eq!(trace.series.values()[..3], [1.0, 2.0, 3.0]);
        assert_eq!(trace.report.notes, [""; 0]);
    }
}

#[test]
fn what_is_missing_is_not_zero() {
    let trace = trace(&hourly(&["1", "nan", "3", "", "5", "6", "-2", "8"]));
    let known: Vec<bool> = trace.series.values().iter().map(|v| !v.is_nan()).collect();
    assert_eq!(known, [true, false, true, false, true, true, false, true]);
    assert_eq!(trace.report.without_value, 2);
    assert_eq!(
        trace.report.negative,
        Places {
            count: 1,
            first_line: Some(8)
        }
    );
}

#[test]
fn a_row_that_comes_again_counts_once_and_one_out_of_order_finds_its_place() {
    let text = hourly(&["1", "2", "3", "4"]) + "2024-05-01 03:00:00,9\n2024-05-01 01:00:00,7\n";
    let trace = trace(&text);
    assert_eq!(trace.series.values(), [1.0, 7.0, 3.0, 9.0]);
    assert_eq!(trace.report.duplicates.count, 2);
    assert_eq!(
        trace.report.out_of_order,
        Places {
            count: 1,
            first_line: Some(7)
        }
    );
}

#[test]
fn a_counter_goes_on_after_a_reset() {
    let options = Options {
        aggregate: Aggregate::Counter,
        ..Options::default()
    };
    let trace = read_text(&hourly(&["100", "110", "125", "4", "10"]), &options).unwrap();
    assert_eq!(trace.series.values(), [10.0, 15.0, 4.0, 6.0]);
    assert_eq!(
        trace.report.counter_resets,
        Places {
            count: 1,
            first_line: Some(5)
        }
    );
}

#[test]
fn the_day_on_which_clocks_are_set_back_has_25_hours() {
    let zone = TimeZone::get("Europe/Amsterdam").unwrap();
    let hours = ["00", "01", "02", "02", "03", "04"];
    let rows: String = hours
        .iter()
        .map(|hour| format!("2024-10-27 {hour}:00:00,1\n"))
        .collect();
    let options = Options {
        zone: Some(zone),
        ..Options::default()
    };
    let trace = read_text(&format!("t,v\n{rows}"), &options).unwrap();
    assert_eq!(trace.series.values(), [1.0; 6]);
    assert_eq!(trace.report.duplicates.count, 0);
}

#[test]
fn events_without_a_step_are_counted() {
    let rows: String = (0..600)
        .map(|i| {
            format!(
                "2024-05-01 10:{:02}:{:02}.{},x\n",
                (i * 37 / 60) % 60,
                (i * 37) % 60,
                i % 10
            )
        })
        .collect();
    let options = Options {
        aggregate: Aggregate::Count,
        step: Some(Step::Seconds(60)),
        ..Options::default()
    };
    let error = read_text(&format!("t,v\n{rows}"), &options).unwrap_err();
    assert!(error.to_string().contains("t.csv:2"), "{error}");
    let rows = rows.replace(",x", ",1");
    let trace = read_text(&format!("t,v\n{rows}"), &options).unwrap();
    let total: f64 = trace.series.values().iter().sum();
    assert!((total - 600.0).abs() < 1e-9);
}

#[test]
fn a_wrong_column_is_named_with_those_that_are_there() {
    let options = Options {
        value_column: Some("sessions".to_owned()),
        ..Options::default()
    };
    let error = read_text("time,visits,beds\n2024-05-01,1,2\n", &options).unwrap_err();
    let message = error.to_string();
    assert!(
        message.contains("\"sessions\"") && message.contains("time, visits, beds"),
        "{message}"
    );
}

#[test]
fn an_error_names_its_line() {
    for (row, place) in [
        ("soon,4", "t.csv:6"),
        ("2024-05-01 09:00:00,many", "t.csv:6"),
        ("1924-05-01 00:00:00,4", "t.csv:6"),
        ("2024-05-01 09:00:00", "t.csv:6"),
    ] {
        let text = hourly(&["1", "2", "3", "4"]) + row + "\n";
        let error = read_text(&text, &Options::default()).unwrap_err();
        assert!(error.to_string().starts_with(place), "{error}");
    }
    assert!(matches!(
        read_text("", &Options::default()),
        Err(Error::Empty { .. })
    ));
    assert!(matches!(
        read_text("t,v\n", &Options::default()),
        Err(Error::TooShort { .. })
    ));
    let negative = hourly(&["-1", "-2", "3", "-4"]);
    assert!(matches!(
        read_text(&negative, &Options::default()),
        Err(Error::NotDemand { .. })
    ));
}
