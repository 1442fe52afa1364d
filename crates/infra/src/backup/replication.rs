//! The part of PostgreSQL's replication protocol that takes a base backup (PostgreSQL 18, "Streaming Replication
//! Protocol", `BASE_BACKUP`), over the private server's socket. The server itself knows which files belong to a backup,
//! checks the pages' checksums while it reads them, and writes the label.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use bytes::{Buf, Bytes, BytesMut};
use postgres_protocol::message::backend::{DataRowBody, ErrorResponseBody, Message};
use postgres_protocol::message::frontend;
use tokio_postgres::fallible_iterator::FallibleIterator as _;

use super::{Error, Result};

const READ_BYTES: usize = 256 * 1024;

/// A connection that speaks the replication protocol.
pub(super) struct Replication {
    stream: UnixStream,
    received: BytesMut,
}

/// How a base backup is taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// Spreads the checkpoint at its beginning over minutes, so that nobody notices.
    pub spread: bool,
    /// Kilobytes a second that the server reads at most.
    pub rate: Option<u32>,
}

/// What the server says before it sends files.
#[derive(Clone, Debug)]
pub(super) struct Beginning {
    pub start_lsn: Lsn,
    pub timeline: u32,
    /// Bytes it is about to send, as estimated.
    pub bytes: u64,
}

/// A place in the write-ahead log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Lsn(pub u64);

impl Replication {
    /// Connects as the superuser; the socket asks for no password.
    pub fn connect(socket_dir: &Path) -> Result<Self> {
        let path = socket_dir.join(".s.PGSQL.5432");
        let stream = UnixStream::connect(&path).map_err(Error::io("connect to", &path))?;
        let mut this = Self {
            stream,
            received: BytesMut::with_capacity(READ_BYTES),
        };
        let mut hello = BytesMut::new();
        let parameters = [
            ("user", "postgres"),
            ("replication", "true"),
            ("application_name", "hysio backup"),
        ];
        frontend::startup_message(parameters, &mut hello).map_err(protocol)?;
        this.stream.write_all(&hello).map_err(protocol)?;
        this.until_ready()?;
        Ok(this)
    }

    /// The size of a segment of the log, in bytes.
    pub fn segment_bytes(&mut self) -> Result<u64> {
        let rows = self.ask("SHOW wal_segment_size")?;
        let text = rows
            .first()
            .and_then(|row| row.first().cloned().flatten())
            .unwrap_or_default();
        parse_size(&text).ok_or_else(|| unexpected(&format!("a segment size of {text:?}")))
    }

    /// Keeps the log that the backup will need from being recycled while this connection is open.
    pub fn hold_log(&mut self) -> Result<()> {
        // The server may still be ending the connection of one that was broken off a moment ago, and hold its slot.
        let slot = format!("hysio_backup_{}", uuid::Uuid::now_v7().simple());
        self.ask(&format!(
            "CREATE_REPLICATION_SLOT {slot} TEMPORARY PHYSICAL (RESERVE_WAL)"
        ))
        .map(drop)
    }

    /// Asks for a backup. What follows are its bytes ([`Replication::tar`]), its manifest ([`Replication::manifest`]) and
    /// its end ([`Replication::finish`]), in this order.
    pub fn begin(&mut self, wanted: Wanted) -> Result<Beginning> {
        let checkpoint = if wanted.spread { "spread" } else { "fast" };
        let rate = wanted
            .rate
            .map(|kilobytes| format!(", MAX_RATE {kilobytes}"))
            .unwrap_or_default();
        // WAIT false: the segments are in the backup itself, whether the archive has them yet or not.
        self.send(&format!(
            "BASE_BACKUP (LABEL 'hysio backup', PROGRESS true, CHECKPOINT '{checkpoint}', WAL true, WAIT false, \
             MANIFEST 'yes', MANIFEST_CHECKSUMS 'SHA256'{rate})"
        ))?;
        let start = self.rows()?;
        let (start_lsn, timeline) = place(&start)?;
        let tablespaces = self.rows()?;
        if tablespaces
            .iter()
            .any(|row| row.first().is_some_and(Option::is_some))
        {
            return Err(Error::Tablespaces);
        }
        let kilobytes: u64 = tablespaces
            .iter()
            .filter_map(|row| row.get(2)?.as_ref()?.parse::<u64>().ok())
            .sum();
        match self.message()? {
            Message::CopyOutResponse(_) => Ok(Beginning {
                start_lsn,
                timeline,
                bytes: kilobytes * 1024,
            }),
            _ => Err(unexpected("no copy")),
        }
    }

    /// The bytes of `base.tar`.
    pub fn tar(&mut self) -> Tar<'_> {
        Tar {
            connection: self,
            pending: Bytes::new(),
            ended: false,
        }
    }

    /// PostgreSQL's own manifest, after the tar was read to its end.
    pub fn manifest(&mut self) -> Result<Vec<u8>> {
        let mut text = Vec::new();
        loop {
            match self.message()? {
                Message::CopyData(body) => {
                    let mut piece = body.into_bytes();
                    match piece.has_remaining().then(|| piece.get_u8()) {
                        Some(b'd') => text.extend_from_slice(&piece),
                        Some(b'p') => {}
                        _ => return Err(unexpected("more than one archive")),
                    }
                }
                Message::CopyDone => return Ok(text),
                _ => return Err(unexpected("no manifest")),
            }
        }
    }

    /// Where the log ends that the backup needs.
    pub fn finish(&mut self) -> Result<Lsn> {
        let end = self.rows()?;
        self.until_ready()?;
        Ok(place(&end)?.0)
    }

    fn ask(&mut self, command: &str) -> Result<Vec<Row>> {
        self.send(command)?;
        let rows = self.rows()?;
        self.until_ready()?;
        Ok(rows)
    }

    fn send(&mut self, command: &str) -> Result<()> {
        let mut message = BytesMut::new();
        frontend::query(command, &mut message).map_err(protocol)?;
        self.stream.write_all(&message).map_err(protocol)
    }

    /// One result set, to its end.
    fn rows(&mut self) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        loop {
            match self.message()? {
                Message::RowDescription(_) => {}
                Message::DataRow(body) => rows.push(row(&body)?),
                Message::CommandComplete(_) => return Ok(rows),
                _ => return Err(unexpected("no rows")),
            }
        }
    }

    fn until_ready(&mut self) -> Result<()> {
        loop {
            match self.message()? {
                Message::ReadyForQuery(_) => return Ok(()),
                Message::AuthenticationOk
                | Message::BackendKeyData(_)
                | Message::CommandComplete(_) => {}
                _ => return Err(unexpected("another answer than that it is ready")),
            }
        }
    }

    /// The next message that matters. An error of the server is an error.
    fn message(&mut self) -> Result<Message> {
        loop {
            match Message::parse(&mut self.received).map_err(protocol)? {
                Some(Message::ErrorResponse(body)) => return Err(Error::Server(said(&body))),
                Some(Message::NoticeResponse(_) | Message::ParameterStatus(_)) => {}
                Some(message) => return Ok(message),
                None => self.receive()?,
            }
        }
    }

    fn receive(&mut self) -> Result<()> {
        let mut piece = [0; 64 * 1024];
        match self.stream.read(&mut piece) {
            Ok(0) => Err(Error::Server("it closed the connection".into())),
            Ok(read) => {
                self.received.extend_from_slice(&piece[..read]);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(protocol(error)),
        }
    }
}

/// Reads one archive out of the stream; its end is where the manifest begins.
pub(super) struct Tar<'a> {
    connection: &'a mut Replication,
    pending: Bytes,
    ended: bool,
}

impl Read for Tar<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.pending.is_empty() && !self.ended {
            self.next().map_err(io::Error::other)?;
        }
        let taken = self.pending.len().min(buffer.len());
        self.pending.copy_to_slice(&mut buffer[..taken]);
        Ok(taken)
    }
}

impl Tar<'_> {
    fn next(&mut self) -> Result<()> {
        let Message::CopyData(body) = self.connection.message()? else {
            return Err(unexpected("an end before the manifest"));
        };
        let mut piece = body.into_bytes();
        match piece.has_remaining().then(|| piece.get_u8()) {
            Some(b'd') => self.pending = piece,
            // A new archive: the one there is. Or its progress, which is counted here.
            Some(b'n' | b'p') => {}
            Some(b'm') => self.ended = true,
            _ => return Err(unexpected("an unknown piece")),
        }
        Ok(())
    }
}

type Row = Vec<Option<String>>;

fn row(body: &DataRowBody) -> Result<Row> {
    let buffer = body.buffer();
    let mut ranges = body.ranges();
    let mut row = Vec::new();
    while let Some(range) = ranges.next().map_err(protocol)? {
        row.push(range.map(|range| String::from_utf8_lossy(&buffer[range]).into_owned()));
    }
    Ok(row)
}

/// The two columns in which the server names a place in the log.
fn place(rows: &[Row]) -> Result<(Lsn, u32)> {
    let found = rows.first().and_then(|row| {
        let lsn = Lsn::parse(row.first()?.as_ref()?)?;
        let timeline = row.get(1)?.as_ref()?.parse().ok()?;
        Some((lsn, timeline))
    });
    found.ok_or_else(|| unexpected("no place in the log"))
}

impl Lsn {
    /// `16/B374D848`.
    pub fn parse(text: &str) -> Option<Self> {
        let (high, low) = text.split_once('/')?;
        let high = u32::from_str_radix(high, 16).ok()?;
        let low = u32::from_str_radix(low, 16).ok()?;
        Some(Self(u64::from(high) << 32 | u64::from(low)))
    }
}

impl std::fmt::Display for Lsn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xFFFF_FFFF)
    }
}

/// `16MB`, as the server writes it.
fn parse_size(text: &str) -> Option<u64> {
    let units = [("kB", 10), ("MB", 20), ("GB", 30)];
    units.iter().find_map(|(unit, shift)| {
        let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
        Some(number << shift)
    })
}

fn said(body: &ErrorResponseBody) -> String {
    let mut message = String::new();
    let mut fields = body.fields();
    while let Ok(Some(field)) = fields.next() {
        if field.type_() == b'M' {
            message = String::from_utf8_lossy(field.value_bytes()).into_owned();
        }
    }
    message
}

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err gives")]
fn protocol(error: io::Error) -> Error {
    Error::Server(error.to_string())
}

fn unexpected(what: &str) -> Error {
    Error::Server(format!("it sent {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_the_log_is_read_and_written_as_postgresql_does() {
        let lsn = Lsn::parse("16/B374D848").unwrap();
        assert_eq!(lsn, Lsn(0x16_B374_D848));
        assert_eq!(lsn.to_string(), "16/B374D848");
        assert_eq!(Lsn::parse("16"), None);
    }

    #[test]
    fn sizes_are_read_with_their_units() {
        assert_eq!(parse_size("16MB"), Some(16 << 20));
        assert_eq!(parse_size("1GB"), Some(1 << 30));
        assert_eq!(parse_size("many"), None);
    }
}
