//! Who a client is, what that lets it do, and what happens when that is over. Every wish of a machine
//! that reaches the broker comes through here, so that no transport can forget to ask.

use std::sync::Arc;

use tidings_access::{Credentials, Denied, Identity, Login};
use tidings_model::{Message, Refusal, Time};
use tidings_protocol::{CloseReason, Input, Ticket};

use super::{Client, State};
use crate::{Attempt, Carrier, House, Outcome};

impl Client {
    /// Who the client is from now on.
    pub(super) fn become_known(
        &mut self,
        identity: Option<Arc<Identity>>,
        carrier: &mut dyn Carrier,
    ) {
        self.identity = identity;
        self.watch_expiry(carrier);
    }

    /// Whoever acts; nothing where nobody has to be anybody. Before it is known, and when the
    /// credentials have expired, that is one who may do nothing.
    pub(super) fn actor<'a>(&'a self, house: &'a House<'_>) -> Option<&'a Arc<Identity>> {
        match &self.identity {
            Some(identity) if !identity.is_expired(house.now) => Some(identity),
            _ => house.gate.nobody(),
        }
    }

    /// Makes messages what they may be published as: with the name of who publishes them.
    ///
    /// # Errors
    /// One of them may not be.
    pub(super) fn sign(&self, messages: &mut [Message], house: &House<'_>) -> Result<(), Refusal> {
        if let Some(identity) = self.actor(house) {
            for message in messages {
                if !identity.may_publish(&message.topic) {
                    return Err(Refusal::PublishForbidden(message.topic.clone()));
                }
                message.from = identity.user().map(|user| (**user).into());
            }
        }
        Ok(())
    }

    /// Has credentials looked at; where the machine was told none, the certificate is one.
    pub(super) fn authenticate(
        &mut self,
        ticket: Ticket,
        mut login: Login,
        house: &mut House<'_>,
        carrier: &dyn Carrier,
    ) {
        if let (Credentials::Anonymous, Some(name)) = (&login.credentials, carrier.certificate()) {
            login.credentials = Credentials::Certificate(name.into());
        }
        let attempt = Box::new(Attempt::new(&login.credentials, None));
        let done =
            self.outcome(house, move |result| Outcome::Authenticated(ticket, attempt, result));
        house.gate.authenticate(login, house.now, done);
    }

    /// It is known whose the credentials are.
    pub(super) fn authenticated(
        &mut self,
        ticket: Ticket,
        mut attempt: Attempt,
        result: Result<Arc<Identity>, Denied>,
        house: &mut House<'_>,
        carrier: &mut dyn Carrier,
    ) {
        match &result {
            Ok(identity) => self.become_known(Some(Arc::clone(identity)), carrier),
            Err(denied) => {
                attempt.peer = carrier.peer();
                house.gate.report(&attempt, *denied, house.now);
            }
        }
        self.feed(Input::Authenticated(ticket, result), house, carrier);
    }

    /// Whether the credentials are worth nothing any more.
    pub(super) fn is_expired(&self, now: Time) -> bool {
        self.identity.as_ref().is_some_and(|identity| identity.is_expired(now))
    }

    /// A deadline that a machine asks for: no later than its client's credentials last.
    pub(super) fn before_expiry(&self, time: Time) -> Time {
        let expires = self.identity.as_ref().and_then(|identity| identity.expires());
        expires.map_or(time, |expires| expires.min(time))
    }

    /// Sees to it that the end of the credentials is noticed.
    pub(super) fn watch_expiry(&self, carrier: &mut dyn Carrier) {
        if let Some(expires) = self.identity.as_ref().and_then(|identity| identity.expires()) {
            let earlier = carrier.wakes_at().filter(|time| *time <= expires);
            carrier.wake_at(earlier.unwrap_or(expires));
        }
    }

    /// The credentials are worth nothing any more: the machine may say so, and that is all.
    pub(super) fn expire(&mut self, house: &mut House<'_>, carrier: &mut dyn Carrier) {
        if self.state == State::Open {
            self.feed(Input::Expired, house, carrier);
        }
        match self.state {
            State::Done => return,
            State::Opening => carrier.respond(house.gate.refuse(Denied::Expired)),
            State::Open => carrier.close(CloseReason::Expired),
        }
        self.state = State::Done;
        self.finish(house.now, house.shard);
    }
}
