//! What can go wrong with the database, sorted by what the caller can do about it.

use std::error::Error as _;

use tokio_postgres::error::{DbError, SqlState};

use crate::cipher::{CipherError, KeyError};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not there now; the same call may succeed later.
    #[error("the database cannot be reached now")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No space is left where the database writes. Nothing was changed.
    #[error("the database's disk is full")]
    StorageFull,
    /// A constraint was violated; the name tells which.
    #[error("the constraint {constraint} was violated")]
    Constraint { constraint: String },
    /// The lease on a job is no longer held: somebody else does it.
    #[error("the lease has been lost")]
    LeaseLost,
    #[error("stored data cannot be read")]
    Cipher(#[from] CipherError),
    #[error("the encryption keys cannot be used")]
    Keys(#[from] KeyError),
    /// Stored data that no version of Hysio writes.
    #[error("{table}.{column} of row {row} holds what does not belong there")]
    Corrupt {
        table: &'static str,
        column: &'static str,
        row: String,
    },
    /// The parts of a partition do not hold what it holds. Nothing was changed.
    #[error("the parts of {0} do not hold the same rows as it does, so it stays as it is")]
    NotTheSame(String),
    /// What the pipeline's rules do not allow now.
    #[error(transparent)]
    Illegal(#[from] hysio_clinical::pipeline::Illegal),
    #[error("the schema cannot be brought up to date")]
    Migration(#[source] Box<refinery::Error>),
    #[error("the database settings cannot be used: {0}")]
    Settings(String),
    #[error("a query failed")]
    Query(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    pub(crate) fn corrupt(
        table: &'static str,
        column: &'static str,
        row: impl std::fmt::Display,
    ) -> Self {
        Self::Corrupt {
            table,
            column,
            row: format!("{row}"),
        }
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        if let Some(db) = error.as_db_error() {
            let code = db.code();
            if *code == SqlState::DISK_FULL {
                return Self::StorageFull;
            }
            if let Some(constraint) = db.constraint()
                && code.code().starts_with("23")
            {
                return Self::Constraint {
                    constraint: constraint.to_owned(),
                };
            }
            // 08: connection, 53: resources, 57P0x: shutting down or starting up, 40: serialisation and deadlock, 25006: read-only after a failover.
            let passing = ["08", "53", "57P", "40", "25006"];
            let said = said(db);
            return if passing.iter().any(|class| code.code().starts_with(class)) {
                Self::Unavailable(said.into())
            } else {
                Self::Query(said.into())
            };
        }
        let io = error
            .source()
            .is_some_and(<dyn std::error::Error>::is::<std::io::Error>);
        if error.is_closed() || io || error.to_string().contains("connect") {
            Self::Unavailable(Box::new(error))
        } else {
            Self::Query(Box::new(error))
        }
    }
}

/// What may go on of a server's words. They can quote a row, so it is the code and the table; where the server only speaks of
/// itself, its words too.
fn said(error: &DbError) -> String {
    let code = error.code().code();
    let of_itself = ["08", "53", "57P"]
        .iter()
        .any(|class| code.starts_with(class));
    match error.table() {
        Some(table) => format!("SQLSTATE {code} at table {table}"),
        None if of_itself => format!("SQLSTATE {code}: {}", error.message()),
        None => format!("SQLSTATE {code}"),
    }
}

impl From<deadpool_postgres::PoolError> for Error {
    fn from(error: deadpool_postgres::PoolError) -> Self {
        match error {
            deadpool_postgres::PoolError::Backend(backend) => match Self::from(backend) {
                // A connection that cannot be made is an outage, whatever the reason.
                Self::Query(source) => Self::Unavailable(source),
                other => other,
            },
            other => Self::Unavailable(Box::new(other)),
        }
    }
}

impl From<refinery::Error> for Error {
    fn from(error: refinery::Error) -> Self {
        Self::Migration(Box::new(error))
    }
}
