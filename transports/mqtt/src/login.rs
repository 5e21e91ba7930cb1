//! Who the client is (sections 3.1.3.5, 3.1.3.6 and 4.12): a name and a password, a token for a
//! password, or SCRAM-SHA-256 in steps. Must never begin a session for somebody who is not let in.

use bytes::Bytes;
use tidings_model::SubscribeOptions;
use tidings_mqtt_codec::{Auth, Connect, Packet, ReasonCode};
use tidings_protocol::{Credentials, Denied, Login, Output, ScramServer};

use crate::connect::Opening;
use crate::machine::{Machine, SUB, Stage};
use crate::message::Refused;
use crate::turn::Turn;

/// The one authentication method there is (RFC 7677).
const SCRAM: &str = "SCRAM-SHA-256";

/// Who the client will be, and what it will read, once it is known that it may.
pub(crate) struct Entering {
    options: SubscribeOptions,
    /// The client's own name.
    client: Box<str>,
}

/// A client that has proved who it is by SCRAM, and may do so again (section 4.12.1).
pub(crate) struct Proved {
    user: Box<str>,
    client: Box<str>,
    /// By what it is doing so.
    again: Option<ScramServer>,
    /// The server's last word, once it is known whether the client has.
    answer: Option<String>,
}

/// A client that has begun to prove who it is.
pub(crate) struct Proving {
    scram: ScramServer,
    opening: Opening,
    entering: Entering,
}

impl Machine {
    /// Finds out who the client is; then its session begins.
    pub(crate) fn log_in(
        &mut self,
        connect: &Connect,
        opening: Opening,
        options: SubscribeOptions,
        turn: &mut Turn<'_>,
    ) -> Result<(), Refused> {
        let entering = Entering { options, client: connect.client_id.as_str().into() };
        match &connect.properties.authentication_method {
            Some(method) => {
                let access = self.settings.access.as_ref().filter(|_| method == SCRAM);
                let Some(access) = access else {
                    let text = format!("the authentication method {method:?} is not known here");
                    return Err(Refused::new(ReasonCode::BadAuthenticationMethod, text));
                };
                let first = connect.properties.authentication_data.clone().unwrap_or_default();
                let nonce = u128::from_be_bytes(self.settings.random.bytes());
                let (scram, answer) = access.scram(&first, nonce).map_err(not_scram)?;
                turn.send(&step(ReasonCode::ContinueAuthentication, answer), &self.link);
                let proving = Proving { scram, opening, entering };
                self.stage = Stage::Proving(Box::new(proving));
            }
            None => match credentials(connect) {
                Credentials::Anonymous if self.is_known => self.enter(opening, entering, turn),
                _ if self.settings.access.is_none() => self.enter(opening, entering, turn),
                credentials => self.authenticate(credentials, opening, entering, turn),
            },
        }
        Ok(())
    }

    /// The client goes on to prove who it is.
    pub(crate) fn prove(&mut self, auth: Auth, turn: &mut Turn<'_>) {
        let stage = std::mem::replace(&mut self.stage, Stage::Closed);
        let Stage::Proving(proving) = stage else {
            self.stage = stage;
            if let Err(Refused { reason, text }) = self.prove_again(auth, turn) {
                self.fail(reason, &text, turn);
            }
            return;
        };
        let Proving { scram, mut opening, entering } = *proving;
        let is_next = auth.reason == ReasonCode::ContinueAuthentication
            && auth.method.as_deref() == Some(SCRAM);
        let finished = scram.finish(&auth.data.unwrap_or_default()).map_err(not_scram);
        match finished {
            Ok((proof, answer)) if is_next => {
                let (user, client) = (proof.user().into(), entering.client.clone());
                let proved = Proved { user, client, again: None, answer: None };
                self.work().proved = Some(Box::new(proved));
                opening.properties.authentication_method = Some(SCRAM.to_owned());
                opening.properties.authentication_data = Some(answer.into());
                self.authenticate(Credentials::Scram(proof), opening, entering, turn);
            }
            Ok(_) => {
                let why = "this is not the next step of the authentication";
                self.refuse(ReasonCode::ProtocolError, why, None, turn);
            }
            Err(Refused { reason, text }) => self.refuse(reason, &text, None, turn),
        }
    }

    /// A client that is connected proves once more who it is.
    fn prove_again(&mut self, auth: Auth, turn: &mut Turn<'_>) -> Result<(), Refused> {
        let misplaced =
            || Refused::new(ReasonCode::ProtocolError, "no authentication is under way");
        let (access, nonce) = (self.settings.access.clone(), self.settings.random.bytes());
        let ticket = self.ticket();
        let proved = self.any_work().and_then(|work| work.proved.as_mut()).ok_or_else(misplaced)?;
        if auth.method.as_deref() != Some(SCRAM) {
            let text = "the authentication method is not the one of CONNECT";
            return Err(Refused::new(ReasonCode::BadAuthenticationMethod, text));
        }
        let data = auth.data.unwrap_or_default();
        if auth.reason == ReasonCode::ReAuthenticate {
            let access = access.ok_or_else(misplaced)?;
            let begun = access.scram(&data, u128::from_be_bytes(nonce)).map_err(not_scram)?;
            proved.again = Some(begun.0);
            turn.send(&step(ReasonCode::ContinueAuthentication, begun.1), &self.link);
            return Ok(());
        }
        let scram = proved.again.take().ok_or_else(misplaced)?;
        let (proof, answer) = scram.finish(&data).map_err(not_scram)?;
        if *proof.user() != *proved.user {
            let text = "a connection stays the user's who opened it";
            return Err(Refused::new(ReasonCode::NotAuthorized, text));
        }
        proved.answer = Some(answer);
        let (credentials, client) = (Credentials::Scram(proof), Some(proved.client.clone()));
        turn.out.push(Output::Authenticate(ticket, Login { credentials, client }));
        Ok(())
    }

    /// A client that is connected has proved once more who it is, or has not.
    fn proved_again(&mut self, denied: Option<Denied>, turn: &mut Turn<'_>) {
        let proved = self.any_work().and_then(|work| work.proved.as_mut());
        let Some(answer) = proved.and_then(|proved| proved.answer.take()) else { return };
        match denied {
            None => turn.send(&step(ReasonCode::Success, answer), &self.link),
            Some(denied) => self.fail(ReasonCode::NotAuthorized, &denied.to_string(), turn),
        }
    }

    fn authenticate(
        &mut self,
        credentials: Credentials,
        mut opening: Opening,
        entering: Entering,
        turn: &mut Turn<'_>,
    ) {
        let client = Some(entering.client.clone());
        opening.entering = Some(Box::new(entering));
        self.stage = Stage::Opening(Box::new(opening));
        let ticket = self.ticket();
        turn.out.push(Output::Authenticate(ticket, Login { credentials, client }));
    }

    /// It is known who the client is, or that it is nobody.
    pub(crate) fn authenticated(&mut self, denied: Option<Denied>, turn: &mut Turn<'_>) {
        let Stage::Opening(opening) = &mut self.stage else {
            return self.proved_again(denied, turn);
        };
        let Some(entering) = opening.entering.take() else { return };
        match denied {
            None => turn.out.push(Output::Subscribe(SUB, entering.options)),
            Some(denied) => {
                let reason = match denied {
                    Denied::Missing => ReasonCode::NotAuthorized,
                    Denied::Wrong | Denied::Token(_) | Denied::Expired => {
                        ReasonCode::BadUserNameOrPassword
                    }
                    Denied::Busy => ReasonCode::ServerBusy,
                };
                self.refuse(reason, &denied.to_string(), None, turn);
            }
        }
    }

    fn enter(&mut self, opening: Opening, entering: Entering, turn: &mut Turn<'_>) {
        self.stage = Stage::Opening(Box::new(opening));
        turn.out.push(Output::Subscribe(SUB, entering.options));
    }
}

/// What CONNECT brings. A password without a name, or with an empty one, is a token: it says itself
/// whose it is.
fn credentials(connect: &Connect) -> Credentials {
    let password = connect.password.as_ref().map(Bytes::as_ref);
    match (connect.username.as_deref().unwrap_or_default(), password) {
        ("", None) => Credentials::Anonymous,
        ("", Some(token)) => Credentials::Token(String::from_utf8_lossy(token).into()),
        (user, password) => Credentials::Password {
            user: user.into(),
            password: password.unwrap_or_default().into(),
        },
    }
}

/// The server's next step.
fn step(reason: ReasonCode, answer: String) -> Packet {
    Packet::Auth(Box::new(Auth {
        reason,
        method: Some(SCRAM.to_owned()),
        data: Some(answer.into()),
        ..Auth::default()
    }))
}

fn not_scram(error: tidings_protocol::ScramError) -> Refused {
    Refused::new(ReasonCode::NotAuthorized, error)
}
