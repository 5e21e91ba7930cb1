//! `tidings sub`: prints events, and comes back after every loss where it left off.
//! Must never print an event twice, nor lose one without saying so.

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::notes::{Notes, count};
use super::output::{Format, no_colour};
use super::reader::{Answer, Place, Reader};
use super::stop::Stop;
use super::{SubArgs, on_own_runtime};
use crate::client::backoff::Backoff;
use crate::client::error::ClientError;
use crate::client::http::Http;
use crate::client::item::Item;
use crate::client::stream::{Stream, Via};

/// A stream that was silent for so long is dead: three heartbeats of the server's default.
const SILENCE: Duration = Duration::from_secs(45);

/// How long a long poll is held, in seconds; well below [`SILENCE`].
const LONG_POLL_WAIT: &str = "30";

/// Most events in one answer of poll and long poll: the most a server gives.
const ANSWER_EVENTS_MAX: u64 = 1000;

/// Least time between two long polls that find nothing, against servers that do not hold them.
const LONG_POLL_PAUSE: Duration = Duration::from_secs(1);

/// Longest wait that a goodbye is believed.
const GOODBYE_WAIT_MAX: Duration = Duration::from_secs(60);

/// How long what was begun to be printed may take after the wish to stop.
const LAST_WRITE_WAIT: Duration = Duration::from_secs(1);

/// Runs the command to its end.
pub(crate) fn run(args: &SubArgs) -> anyhow::Result<ExitCode> {
    on_own_runtime(async {
        let stop = Stop::on_signals()?;
        let (out, notes) = (tokio::io::stdout(), Notes::stderr());
        let mut subscription = Subscription::new(args, out, notes, stop);
        let end = subscription.follow().await;
        Ok(subscription.finish(&end))
    })?
}

/// Why it is over.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// As many events as were asked for.
    Counted,
    /// Someone wished so.
    Stopped,
    /// Nobody reads the output any more.
    Unread,
    /// It cannot go on.
    Failed(String),
}

/// What ends an answer before its own end.
enum Break {
    End(End),
    Client(ClientError),
}

impl From<End> for Break {
    fn from(end: End) -> Break {
        Break::End(end)
    }
}

impl From<ClientError> for Break {
    fn from(error: ClientError) -> Break {
        Break::Client(error)
    }
}

struct Subscription<'a, W> {
    args: &'a SubArgs,
    http: Http,
    reader: Reader,
    /// Where the reader stood when everything was printed last.
    printed: Place,
    out: W,
    notes: Notes,
    stop: Stop,
    backoff: Backoff,
    /// The last trouble that was told, while it lasts.
    trouble: Option<String>,
    silence: Duration,
}

impl<'a, W: AsyncWrite + Unpin> Subscription<'a, W> {
    fn new(args: &'a SubArgs, out: W, notes: Notes, stop: Stop) -> Subscription<'a, W> {
        Subscription {
            args,
            http: Http::new(args.server.url.clone()),
            reader: Reader::new(format(args), args.count),
            printed: Place::default(),
            out,
            notes,
            stop,
            backoff: Backoff::new(),
            trouble: None,
            silence: SILENCE,
        }
    }

    /// Reads one answer after the other, to the end.
    async fn follow(&mut self) -> End {
        loop {
            let asked = Instant::now();
            let wait = match self.answer().await {
                Err(Break::End(end)) => return end,
                Err(Break::Client(error)) if !error.may_pass() => {
                    return End::Failed(error.to_string());
                }
                outcome => match (self.reader.goodbye.take(), outcome) {
                    (Some(wait), _) => self.come_back(wait),
                    (None, Err(Break::Client(error))) => self.lost(error.to_string()),
                    (None, _) if self.args.via.ends() => self.pause(asked.elapsed()),
                    (None, _) => self.lost("the server closed the connection".to_owned()),
                },
            };
            if self.stop.or(tokio::time::sleep(wait)).await.is_none() {
                return End::Stopped;
            }
        }
    }

    /// Reads one answer: for a stream, until it breaks.
    async fn answer(&mut self) -> Result<(), Break> {
        self.reader.answer = Answer::default();
        let (target, via, silence) = (self.target(), self.args.via, self.silence);
        let open = Stream::open(&mut self.http, &target, via, silence);
        let mut stream = self.stop.or(open).await.ok_or(End::Stopped)??;
        loop {
            let (reader, notes) = (&mut self.reader, &mut self.notes);
            let mut take = |item: Item<'_>| reader.take(&item, notes);
            let more = self.stop.or(stream.next(silence, &mut take)).await;
            if self.reader.answer.began {
                self.went_well();
            }
            // What came before an error is printed, too.
            self.print().await?;
            if self.reader.is_full() {
                return Err(End::Counted.into());
            }
            if !more.ok_or(End::Stopped)?? {
                return Ok(());
            }
        }
    }

    /// What to ask for: from where the reader stands, or where it was told to begin.
    fn target(&self) -> String {
        let last = self.args.last.map(|last| last.to_string());
        let limit = ANSWER_EVENTS_MAX.to_string();
        let mut query = vec![("via", self.args.via.name())];
        query.push(match (&*self.reader.place.position, &last) {
            ("", Some(last)) => ("last", last),
            ("", None) => ("since", self.args.since.as_deref().unwrap_or("now")),
            (position, _) => ("since", position),
        });
        match self.args.via {
            Via::Poll => query.push(("limit", &limit)),
            Via::Longpoll => {
                query.extend([("limit", &*limit), ("wait", LONG_POLL_WAIT)]);
            }
            Via::Sse | Via::Ws | Via::Ndjson => {}
        }
        let topics: Vec<&str> = self.args.topics.iter().map(|topic| topic.as_str()).collect();
        self.args.server.url.target(&topics, &query)
    }

    /// Prints what is to be printed. Only then does the reader stand behind it.
    async fn print(&mut self) -> Result<(), End> {
        if !self.reader.out.is_empty() {
            let (out, stop) = (&mut self.out, &mut self.stop);
            let write = async {
                out.write_all(&self.reader.out).await?;
                out.flush().await
            };
            let too_late = async {
                stop.wished().await;
                tokio::time::sleep(LAST_WRITE_WAIT).await;
            };
            tokio::select! {
                biased;
                written = write => written.map_err(|error| unprintable(&error))?,
                () = too_late => return Err(End::Stopped),
            }
            self.reader.out.clear();
        }
        self.printed.clone_from(&self.reader.place);
        Ok(())
    }

    fn went_well(&mut self) {
        self.backoff.reset();
        if let Some(first) = self.reader.retry.take() {
            self.backoff.set_first(first);
        }
        if self.trouble.take().is_some() {
            self.notes.line("connected again");
        }
    }

    /// How long to wait after a loss. The same trouble is told once.
    fn lost(&mut self, why: String) -> Duration {
        // The connection may be half dead; the next request gets another.
        self.http = Http::new(self.args.server.url.clone());
        if self.trouble.as_ref() != Some(&why) {
            self.notes.line(&format!("{why}; trying again"));
            self.trouble = Some(why);
        }
        self.backoff.wait()
    }

    fn come_back(&mut self, wait: Duration) -> Duration {
        let wait = wait.min(GOODBYE_WAIT_MAX);
        let seconds = wait.as_secs_f64();
        let why = "the server shuts down".to_owned();
        self.notes.line(&format!("{why}; coming back in {seconds:.1} s"));
        self.trouble = Some(why);
        self.http = Http::new(self.args.server.url.clone());
        wait
    }

    /// How long to wait between two answers that ended in good order.
    fn pause(&self, answer_took: Duration) -> Duration {
        let events = self.reader.answer.events;
        match self.args.via {
            Via::Longpoll if events == 0 => LONG_POLL_PAUSE.saturating_sub(answer_took),
            Via::Poll if events < ANSWER_EVENTS_MAX => self.args.interval,
            _ => Duration::ZERO,
        }
    }

    /// Says how it ended.
    fn finish(&mut self, end: &End) -> ExitCode {
        match end {
            End::Unread => ExitCode::SUCCESS,
            End::Failed(why) => {
                self.notes.line(&format!("error: {why}"));
                ExitCode::FAILURE
            }
            End::Counted | End::Stopped => {
                let Place { received, position } = &self.printed;
                let mut text = format!("received {}", count(*received, "event"));
                if !position.is_empty() {
                    text += &format!(", last position {position}");
                }
                self.notes.line(&text);
                ExitCode::SUCCESS
            }
        }
    }
}

fn format(args: &SubArgs) -> Format {
    match (args.raw, args.json) {
        (true, _) => Format::Raw,
        (_, true) => Format::Json,
        _ => Format::Line { colours: io::stdout().is_terminal() && !no_colour() },
    }
}

fn unprintable(error: &io::Error) -> End {
    match error.kind() {
        io::ErrorKind::BrokenPipe => End::Unread,
        _ => End::Failed(format!("cannot write the output: {error}")),
    }
}

#[cfg(test)]
#[path = "subscribe_tests.rs"]
mod tests;
