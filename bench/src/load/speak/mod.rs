//! Speakers: one conversation for each way to publish.

mod http;
mod postgres;
mod raw;
mod socket;

use super::http::fields;
use super::mqtt;
use super::talk::Talk;
use crate::target::Publish;

/// Most messages under way on a connection whose protocol does not answer, or lets many wait.
const IN_FLIGHT_MAX: usize = 64;

/// A speaker to the server at `host`.
///
/// # Errors
/// When the target does not offer batches and one is asked for.
pub(super) fn speaker(form: &Publish, host: &str, batch: bool) -> anyhow::Result<Box<dyn Talk>> {
    if batch && !matches!(form, Publish::Http { batch: Some(_), .. }) {
        anyhow::bail!("publishing in batches is not offered");
    }
    Ok(match form {
        Publish::Http { target, headers, batch: with } => {
            let mut all = fields(headers);
            if batch {
                all.extend(with.iter().flat_map(fields));
            }
            Box::new(http::Http::new(host, target, all))
        }
        Publish::Websocket { target, first, ready, message } => {
            Box::new(socket::Socket::new(host, target, first, ready.clone(), message))
        }
        Publish::Tcp { first, ready, message, answer, refusal } => {
            let text = |text: &Option<String>| text.clone().map(String::into_bytes);
            let (ready, answer, refusal) = (text(ready), text(answer), text(refusal));
            let message = raw::Message::Template(message.clone());
            Box::new(raw::Raw::new(first.clone().into_bytes(), ready, message, answer, refusal))
        }
        Publish::Mqtt { qos } => {
            let (first, ready) = mqtt::connect();
            let answer = (*qos > 0).then(|| mqtt::PUBACK.to_vec());
            Box::new(raw::Raw::new(first, Some(ready), raw::Message::Mqtt(*qos), answer, None))
        }
        Publish::Postgres { user, database, statement } => {
            Box::new(postgres::Postgres::new(user, database, statement))
        }
    })
}
