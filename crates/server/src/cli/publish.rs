//! `tidings pub`: one message, or a message for each line of an input that may be endless.
//! Must never lose or double a message: a request is only tried again under its idempotency key.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use ::http::header::CONTENT_TYPE;
use ::http::{HeaderMap, HeaderValue, Request, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use serde::Deserialize;
use tidings_protocol::content;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::batches::{BatchError, Batches, LINE_BYTES_MAX};
use super::notes::{Notes, count};
use super::{PubArgs, on_own_runtime};
use crate::client::backoff::Backoff;
use crate::client::error::ClientError;
use crate::client::http::{Http, refused, short_body};
use crate::config::format_span;

/// How long the server may take to answer: longer than any commit, so that only a dead connection
/// is given up.
const ANSWER_WAIT: Duration = Duration::from_secs(30);

/// How long `--lines` keeps trying when nothing else is said.
const RETRY_LINES: Duration = Duration::from_secs(30);

/// Least time between two progress lines.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);

type Input = Box<dyn AsyncRead + Unpin>;

/// Runs the command to its end.
pub(crate) fn run(args: PubArgs) -> anyhow::Result<ExitCode> {
    let args = &PubArgs { server: args.server.logged_in()?, ..args };
    on_own_runtime(async {
        let mut notes = Notes::stderr();
        match publish(args, &mut notes).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                notes.line(&format!("error: {error}"));
                ExitCode::FAILURE
            }
        }
    })
}

/// Why not everything is published.
#[derive(Debug, thiserror::Error)]
enum PubError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Input(#[from] BatchError),
    #[error("cannot open {0}: {1}")]
    Open(String, std::io::Error),
    #[error("the message is larger than 64 MiB, the most any server takes")]
    TooLarge,
}

async fn publish(args: &PubArgs, notes: &mut Notes) -> Result<(), PubError> {
    let input = open(args, notes).await?;
    let mut publisher = Publisher::new(args);
    if args.lines {
        lines(args, &mut publisher, input, notes).await
    } else {
        single(args, &mut publisher, input, notes).await
    }
}

/// What is to be published, as a stream of bytes.
async fn open(args: &PubArgs, notes: &mut Notes) -> Result<Input, PubError> {
    if let Some(data) = &args.data {
        return Ok(Box::new(std::io::Cursor::new(data.clone())));
    }
    match &args.file {
        Some(path) if path.as_os_str() != "-" => match tokio::fs::File::open(path).await {
            Ok(file) => Ok(Box::new(file)),
            Err(error) => Err(PubError::Open(path.display().to_string(), error)),
        },
        _ => {
            if std::io::IsTerminal::is_terminal(&std::io::stdin()) && !args.quiet {
                let what = if args.lines { "a message a line" } else { "the message" };
                notes.line(&format!("type {what}; end with Ctrl-D (Windows: Ctrl-Z and Enter)"));
            }
            Ok(Box::new(tokio::io::stdin()))
        }
    }
}

async fn single(
    args: &PubArgs,
    publisher: &mut Publisher,
    input: Input,
    notes: &mut Notes,
) -> Result<(), PubError> {
    let mut body = Vec::new();
    let read = input.take(LINE_BYTES_MAX as u64 + 1).read_to_end(&mut body).await;
    read.map_err(BatchError::Read)?;
    if body.len() > LINE_BYTES_MAX {
        return Err(PubError::TooLarge);
    }
    if args.content_type.is_none() {
        let guess = guess(args.file.as_deref(), &body);
        publisher.headers.insert(CONTENT_TYPE, HeaderValue::from_static(guess));
    }
    let answer = publisher.post(body.into(), notes).await?;
    if !args.quiet {
        notes.line(&format!("published {} {}", answer.topic, answer.position));
    }
    Ok(())
}

/// The media type of a message that comes without one.
fn guess(file: Option<&Path>, body: &[u8]) -> &'static str {
    let extension = file.and_then(Path::extension);
    match extension.is_some_and(|extension| extension.eq_ignore_ascii_case("json")) {
        true => content::JSON,
        false => content::sniff(body),
    }
}

async fn lines(
    args: &PubArgs,
    publisher: &mut Publisher,
    input: Input,
    notes: &mut Notes,
) -> Result<(), PubError> {
    publisher.headers.insert("tidings-batch", HeaderValue::from_static("lines"));
    let (mut batches, began) = (Batches::new(input), Instant::now());
    let (mut published, mut shown) = (0, began);
    loop {
        let batch = match batches.next().await {
            Ok(Some(batch)) => batch,
            Ok(None) => break,
            Err(error) => {
                notes.line(&format!("published {} before that", count(published, "message")));
                return Err(error.into());
            }
        };
        match publisher.post(batch.body, notes).await {
            Ok(_) => published += batch.messages,
            Err(error) => {
                notes.line(&format!(
                    "published {}; of the input from line {} on nothing is known to be",
                    count(published, "message"),
                    batch.first_line
                ));
                return Err(error.into());
            }
        }
        if !args.quiet && shown.elapsed() >= PROGRESS_INTERVAL {
            shown = Instant::now();
            notes.progress(&count(published, "message"));
        }
    }
    if !args.quiet {
        let seconds = began.elapsed().as_secs_f64();
        let messages = count(published, "message");
        notes.line(&format!("published {messages} to {} in {seconds:.1} s", args.topic));
    }
    Ok(())
}

/// Posts to one topic over one connection.
struct Publisher {
    http: Http,
    target: String,
    headers: HeaderMap,
    retry: Duration,
    quiet: bool,
}

/// What the server says of what it took.
#[derive(Debug, Deserialize)]
struct Published {
    topic: String,
    position: String,
}

impl Publisher {
    fn new(args: &PubArgs) -> Publisher {
        let ttl = args.ttl.map(|ttl| ttl.as_secs().to_string());
        let query: Vec<(&str, &str)> = [
            ("type", args.event_type.as_deref()),
            ("key", args.key.as_deref()),
            ("ttl", ttl.as_deref()),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
        let mut headers: HeaderMap = args.headers.iter().cloned().collect();
        if let Some(content_type) = &args.content_type {
            headers.insert(CONTENT_TYPE, content_type.clone());
        }
        Publisher {
            http: Http::new(args.server.server()),
            target: args.server.url.target(&[args.topic.as_str()], &query),
            headers,
            retry: args.retry.unwrap_or(if args.lines { RETRY_LINES } else { Duration::ZERO }),
            quiet: args.quiet,
        }
    }

    /// Posts `body` until the server took it, refused it, or `retry` is over. Every try has the
    /// same idempotency key, so whichever of them came through, it is stored once.
    async fn post(&mut self, body: Bytes, notes: &mut Notes) -> Result<Published, ClientError> {
        let key = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>());
        let mut headers = self.headers.clone();
        let key = HeaderValue::from_str(&key).map_err(not_tidings)?;
        headers.insert("idempotency-key", key);
        let mut request = Request::post(&self.target).body(body).map_err(not_tidings)?;
        *request.headers_mut() = headers;
        let (began, mut backoff, mut told) = (Instant::now(), Backoff::new(), false);
        loop {
            let error = match self.attempt(request.clone()).await {
                Ok(published) => return Ok(published),
                Err(error) => error,
            };
            let left = self.retry.saturating_sub(began.elapsed());
            if !error.may_pass() || left.is_zero() {
                return Err(error);
            }
            if !told && !self.quiet {
                let retry = format_span(self.retry);
                notes.line(&format!("{error}; trying again for up to {retry}"));
                told = true;
            }
            tokio::time::sleep(backoff.wait().min(left)).await;
        }
    }

    async fn attempt(&mut self, request: Request<Bytes>) -> Result<Published, ClientError> {
        let response = self.http.send(request, ANSWER_WAIT).await?;
        let (status, body) = short_body(response, ANSWER_WAIT).await?;
        if !matches!(status, StatusCode::OK | StatusCode::CREATED) {
            return Err(ClientError::Refused(refused(status, &body)));
        }
        serde_json::from_slice(&body).map_err(not_tidings)
    }
}

fn not_tidings(error: impl std::fmt::Display) -> ClientError {
    ClientError::NotTidings(error.to_string())
}

#[cfg(test)]
#[path = "publish_tests.rs"]
mod tests;
