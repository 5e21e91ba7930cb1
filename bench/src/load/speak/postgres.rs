//! A prepared statement for each message, by the PostgreSQL protocol, version 3
//! (its manual, "Frontend/Backend Protocol", "Message Formats"). Each is a transaction of its own.

use anyhow::{bail, ensure};

use crate::load::talk::{Talk, Turn};

/// Version 3.0 in a startup message.
const VERSION: u32 = 3 << 16;
/// The name of the prepared statement.
const STATEMENT: &str = "publish";
/// The longest message that a server of ours sends.
const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// The speaker.
pub(super) struct Postgres {
    user: String,
    database: String,
    statement: String,
    read: Vec<u8>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// The session begins.
    Starting,
    /// The statement is prepared.
    Preparing,
    /// Messages are inserted.
    Ready,
}

impl Postgres {
    pub(super) fn new(user: &str, database: &str, statement: &str) -> Postgres {
        Postgres {
            user: user.to_owned(),
            database: database.to_owned(),
            statement: statement.to_owned(),
            read: Vec::new(),
            state: State::Starting,
        }
    }

    /// One message of the server.
    fn message(&mut self, kind: u8, body: &[u8], turn: &mut Turn<'_>) -> anyhow::Result<()> {
        match (kind, self.state) {
            (b'R', _) => ensure!(body == [0; 4], "PostgreSQL asks for a password"),
            (b'E', State::Ready) => turn.refused += 1,
            (b'E', _) => bail!("PostgreSQL says: {}", String::from_utf8_lossy(body)),
            // CommandComplete comes before ReadyForQuery; a refused one has none.
            (b'C', State::Ready) => turn.accepted += 1,
            (b'Z', State::Starting) => {
                self.state = State::Preparing;
                write(turn.out, Some(b'P'), |out| {
                    text(out, STATEMENT);
                    text(out, &self.statement);
                    out.extend_from_slice(&0_u16.to_be_bytes());
                });
                write(turn.out, Some(b'S'), |_| ());
            }
            (b'Z', State::Preparing) => (self.state, turn.ready) = (State::Ready, true),
            _ => {}
        }
        Ok(())
    }
}

impl Talk for Postgres {
    fn begin(&mut self, turn: &mut Turn<'_>) {
        self.state = State::Starting;
        self.read.clear();
        write(turn.out, None, |out| {
            out.extend_from_slice(&VERSION.to_be_bytes());
            for word in ["user", &self.user, "database", &self.database] {
                text(out, word);
            }
            out.push(0);
        });
    }

    fn read(&mut self, bytes: &[u8], turn: &mut Turn<'_>) -> anyhow::Result<()> {
        self.read.extend_from_slice(bytes);
        let read = std::mem::take(&mut self.read);
        let mut rest = &read[..];
        while let Some((kind, length)) = rest.split_first_chunk::<5>().map(|(head, _)| {
            let [kind, length @ ..] = *head;
            (kind, u32::from_be_bytes(length) as usize)
        }) {
            ensure!((4..MESSAGE_BYTES_MAX).contains(&length), "no message of PostgreSQL");
            // The length counts itself, but not the kind.
            let Some(body) = rest.get(5..=length) else { break };
            self.message(kind, body, turn)?;
            rest = &rest[length + 1..];
        }
        self.read = rest.to_vec();
        Ok(())
    }

    fn publish(&mut self, topic: &str, payload: &[u8], turn: &mut Turn<'_>) {
        write(turn.out, Some(b'B'), |out| {
            text(out, "");
            text(out, STATEMENT);
            // No formats: all is text. Two parameters.
            out.extend_from_slice(&[0, 0, 0, 2]);
            for value in [topic.as_bytes(), payload] {
                out.extend_from_slice(&u32::try_from(value.len()).unwrap_or(0).to_be_bytes());
                out.extend_from_slice(value);
            }
            out.extend_from_slice(&[0, 0]);
        });
        write(turn.out, Some(b'E'), |out| {
            text(out, "");
            out.extend_from_slice(&[0; 4]);
        });
        write(turn.out, Some(b'S'), |_| ());
    }
}

/// Writes a message: its kind, its length, its body.
fn write(out: &mut Vec<u8>, kind: Option<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    out.extend(kind);
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    body(out);
    let length = u32::try_from(out.len() - at).unwrap_or(u32::MAX);
    out[at..at + 4].copy_from_slice(&length.to_be_bytes());
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
    out.push(0);
}
