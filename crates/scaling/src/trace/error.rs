//! What is wrong with a trace, with the place and the way out.

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "{file}: it is empty: a trace has a line of column names, then rows of a time and a value"
    )]
    Empty { file: String },
    #[error("{file}: there is no column {wanted:?}: the columns are {}", .there.join(", "))]
    NoColumn {
        file: String,
        wanted: String,
        there: Vec<String>,
    },
    #[error(
        "{file}:{line}: {text:?} is no time: use RFC 3339, YYYY-MM-DD HH:MM:SS, YYYY-MM-DD, or seconds since 1970 (--time-column names another column)"
    )]
    Time {
        file: String,
        line: u64,
        text: String,
    },
    #[error(
        "{file}:{line}: {text:?} in column {column:?} is no number (--column names another column)"
    )]
    Value {
        file: String,
        line: u64,
        column: String,
        text: String,
    },
    #[error("{file}:{line}: the row has {fields} fields, the value is in field {wanted}")]
    Short {
        file: String,
        line: u64,
        fields: usize,
        wanted: usize,
    },
    #[error(
        "{file}:{line}: {time} is {years:.0} years away from the rows before it: correct or remove the row"
    )]
    FarAway {
        file: String,
        line: u64,
        time: String,
        years: f64,
    },
    #[error(
        "{file}: {negative} of {rows} values in column {column:?} are negative, and demand never is: choose another with --column"
    )]
    NotDemand {
        file: String,
        column: String,
        negative: u64,
        rows: u64,
    },
    #[error("{file}: fewer than two steps have a value: a trace needs more rows")]
    TooShort { file: String },
    #[error("{file}:{line}: {source}")]
    Csv {
        file: String,
        line: u64,
        source: csv::Error,
    },
}
