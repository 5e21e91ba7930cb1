//! `tidings sub`: prints events, and comes back after every loss where it left off, or as the
//! durable session that it is. Must never print an event twice, nor lose one without saying so.

use std::io::{self, IsTerminal};
use std::pin::pin;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use tidings_model::SessionName;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::acks::Acks;
use super::ask;
use super::notes::{Notes, count};
use super::output::{Format, no_colour};
use super::reader::{Answer, Place, Reader};
use super::stop::Stop;
use super::{Ack, SubArgs, on_own_runtime};
use crate::client::backoff::Backoff;
use crate::client::error::ClientError;
use crate::client::http::Http;
use crate::client::item::Item;
use crate::client::stream::{Stream, Via};

/// A stream that was silent for so long is dead: three heartbeats of the server's default.
const SILENCE: Duration = Duration::from_secs(45);

/// Least time between two long polls that find nothing, against servers that do not hold them.
const LONG_POLL_PAUSE: Duration = Duration::from_secs(1);

/// Longest wait that a goodbye is believed.
const GOODBYE_WAIT_MAX: Duration = Duration::from_secs(60);

/// How long what was begun to be printed may take after the wish to stop.
const LAST_WRITE_WAIT: Duration = Duration::from_secs(1);

/// How long the last acknowledgement may take.
const LAST_ACK_WAIT: Duration = Duration::from_secs(2);

/// Runs the command to its end.
pub(crate) fn run(args: SubArgs) -> anyhow::Result<ExitCode> {
    let args = &SubArgs { server: args.server.logged_in()?, ..args };
    on_own_runtime(async {
        let stop = Stop::on_signals()?;
        let (out, notes) = (tokio::io::stdout(), Notes::stderr());
        let mut subscription = Subscription::new(args, out, notes, stop);
        let end = subscription.follow().await;
        subscription.settle().await;
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
    /// Where it acknowledges explicitly.
    acks: Option<Acks>,
    out: W,
    notes: Notes,
    stop: Stop,
    backoff: Backoff,
    /// The last trouble that was told, while it lasts.
    trouble: Option<String>,
    silence: Duration,
    /// The most events that the last answer was to have.
    asked: Option<u64>,
}

impl<'a, W: AsyncWrite + Unpin> Subscription<'a, W> {
    fn new(args: &'a SubArgs, out: W, notes: Notes, stop: Stop) -> Subscription<'a, W> {
        Subscription {
            args,
            http: Http::new(args.server.server()),
            reader: Reader::new(format(args), args.count),
            printed: Place::default(),
            acks: match (&args.session, args.ack) {
                (Some(session), Some(Ack::Explicit)) => {
                    Some(Acks::new(args.server.server(), session.as_str()))
                }
                _ => None,
            },
            out,
            notes,
            stop,
            backoff: Backoff::new(),
            trouble: None,
            silence: SILENCE,
            asked: None,
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
                    (None, _) if self.is_answered_in_full() => Duration::ZERO,
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
        // What was printed and not acknowledged would come again.
        if let Some(acks) = &mut self.acks {
            let settled = self.stop.or(acks.settle()).await.ok_or(End::Stopped)?;
            self.settled(settled)?;
        }
        self.reader.answer = Answer::default();
        self.asked = ask::limit(self.args, self.printed.received);
        let target = ask::target(self.args, &self.reader.place, self.asked);
        let (via, silence) = (self.args.via, self.silence);
        let open = Stream::open(&mut self.http, &target, via, silence);
        let mut stream = self.stop.or(open).await.ok_or(End::Stopped)??;
        loop {
            let more = self.next(&mut stream).await;
            if self.reader.answer.began {
                self.went_well();
            }
            // What came before an error is printed, too.
            self.print().await?;
            if self.reader.is_full() {
                return Err(End::Counted.into());
            }
            if let Some(reason) = &self.reader.ended {
                return Err(End::Failed(self.why_ended(reason)).into());
            }
            if !more? {
                return Ok(());
            }
        }
    }

    /// Waits for more of an answer, and acknowledges meanwhile what is due.
    async fn next(&mut self, stream: &mut Stream) -> Result<bool, Break> {
        let (reader, notes, silence) = (&mut self.reader, &mut self.notes, self.silence);
        let mut refused = Vec::new();
        let result = {
            let mut take = |item: Item<'_>| reader.take(&item, notes);
            let mut next = pin!(stream.next(silence, &mut take));
            loop {
                let acknowledge = async {
                    match &mut self.acks {
                        Some(acks) => acks.go_on().await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    biased;
                    () = self.stop.wished() => break Err(End::Stopped.into()),
                    more = &mut next => break more.map_err(Break::from),
                    error = acknowledge => refused.push(error),
                }
            }
        };
        for error in refused {
            self.not_acknowledged(&error);
        }
        result
    }

    /// What became of an acknowledgement. One that the server refuses is given up: what it was for
    /// may come again.
    fn settled(&mut self, result: Result<(), ClientError>) -> Result<(), Break> {
        match result {
            Err(error) if error.may_pass() => Err(error.into()),
            Err(error) => {
                self.not_acknowledged(&error);
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    fn not_acknowledged(&mut self, error: &ClientError) {
        self.notes.line(&format!("warning: not acknowledged: {error}"));
    }

    /// Acknowledges what was printed last, at the end.
    async fn settle(&mut self) {
        let Some(acks) = &mut self.acks else { return };
        let why = match tokio::time::timeout(LAST_ACK_WAIT, acks.settle()).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the server did not answer in time".to_owned(),
        };
        self.notes.line(&format!("warning: the last events are not acknowledged: {why}"));
    }

    fn why_ended(&self, reason: &str) -> String {
        let name = self.args.session.as_ref().map_or("", SessionName::as_str);
        match reason {
            "session_taken_over" => format!("another connection has become the session `{name}`"),
            "session_deleted" => format!("the session `{name}` was deleted"),
            "expired" => "the token has expired".to_owned(),
            other => format!("the server has ended it: {}", other.escape_debug()),
        }
    }

    /// Whether an answer ended because it had as many events as it was to have at most.
    fn is_answered_in_full(&self) -> bool {
        !self.args.via.ends() && self.asked.is_some_and(|most| self.reader.answer.events >= most)
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
        if let (Some(acks), true) =
            (&mut self.acks, self.reader.place.received > self.printed.received)
        {
            acks.printed(&self.reader.place.position);
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
        self.http = Http::new(self.args.server.server());
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
        self.http = Http::new(self.args.server.server());
        wait
    }

    /// How long to wait between two answers that ended in good order.
    fn pause(&self, answer_took: Duration) -> Duration {
        let events = self.reader.answer.events;
        match self.args.via {
            Via::Longpoll if events == 0 => LONG_POLL_PAUSE.saturating_sub(answer_took),
            Via::Poll if events < ask::EVENTS_MAX => self.args.interval,
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

#[cfg(test)]
#[path = "subscribe_session_tests.rs"]
mod session_tests;
