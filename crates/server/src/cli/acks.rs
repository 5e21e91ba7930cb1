//! Acknowledges for `tidings sub` what it has printed as a durable session. Must never acknowledge
//! what is not flushed, nor hold up what is being read.

use std::pin::Pin;
use std::time::Duration;

use ::http::{Request, StatusCode};
use bytes::Bytes;
use tokio::time::Instant;

use crate::client::error::ClientError;
use crate::client::http::{Http, Server, refused, short_body};

/// Least time between two acknowledgements. What was printed since the last one is printed again by
/// whoever comes after a crash.
const PAUSE: Duration = Duration::from_secs(1);

/// How long one may take.
const WAIT: Duration = Duration::from_secs(10);

/// The acknowledgements of one session, one after the other on a connection of their own.
pub(crate) struct Acks {
    target: String,
    server: Server,
    /// Kept while none is under way.
    http: Option<Http>,
    under_way: Option<UnderWay>,
    /// Everything up to here is printed.
    printed: String,
    /// Everything up to here is acknowledged, or cannot be.
    settled: String,
    /// When the next one may begin.
    next: Instant,
}

type UnderWay = Pin<Box<dyn Future<Output = (Http, String, Result<(), ClientError>)>>>;

impl Acks {
    /// Nothing is printed yet.
    pub(crate) fn new(server: Server, session: &str) -> Acks {
        Acks {
            target: server.url.ack_target(session),
            server,
            http: None,
            under_way: None,
            printed: String::new(),
            settled: String::new(),
            next: Instant::now(),
        }
    }

    /// Everything up to `position` is printed.
    pub(crate) fn printed(&mut self, position: &str) {
        position.clone_into(&mut self.printed);
    }

    /// Acknowledges as time and what is printed have it, without an end; may be dropped and called
    /// again at any moment. Returns only with what the server refused, which is given up.
    pub(crate) async fn go_on(&mut self) -> ClientError {
        loop {
            if self.is_settled() {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep_until(self.next).await;
            match self.one().await {
                Err(error) if !error.may_pass() => return error,
                // A server that cannot be reached is told of by whoever reads from it.
                Ok(()) | Err(_) => {}
            }
        }
    }

    /// Acknowledges all that is printed, at once. Fails when that is not possible now.
    pub(crate) async fn settle(&mut self) -> Result<(), ClientError> {
        while !self.is_settled() {
            self.one().await?;
        }
        Ok(())
    }

    fn is_settled(&self) -> bool {
        self.under_way.is_none() && self.printed == self.settled
    }

    /// Sends one acknowledgement, or waits for the one that is under way.
    async fn one(&mut self) -> Result<(), ClientError> {
        let under_way = self.under_way.get_or_insert_with(|| {
            let http = self.http.take().unwrap_or_else(|| Http::new(self.server.clone()));
            Box::pin(send(http, self.target.clone(), self.printed.clone()))
        });
        let (http, position, result) = under_way.await;
        self.under_way = None;
        self.http = Some(http);
        self.next = Instant::now() + PAUSE;
        match result {
            // There is no session: nothing to acknowledge. Whoever reads is told so.
            Err(ClientError::Refused(refused)) if refused.status == StatusCode::NOT_FOUND => {
                self.settled = position;
                Ok(())
            }
            Err(error) if error.may_pass() => Err(error),
            result => {
                self.settled = position;
                result
            }
        }
    }
}

/// Sends one acknowledgement and reads what became of it.
async fn send(
    mut http: Http,
    target: String,
    position: String,
) -> (Http, String, Result<(), ClientError>) {
    let exchange = async {
        let request = Request::post(&target)
            .body(Bytes::from(position.clone()))
            .map_err(|error| ClientError::NotTidings(error.to_string()))?;
        let (status, body) = short_body(http.send(request, WAIT).await?, WAIT).await?;
        if status != StatusCode::OK {
            return Err(ClientError::Refused(refused(status, &body)));
        }
        Ok(())
    };
    let result = exchange.await;
    (http, position, result)
}
