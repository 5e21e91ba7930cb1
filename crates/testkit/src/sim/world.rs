//! The world of one run: the house, its readers, and what happens next.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use serde_json::json;
use tidings_host::{Client, Registry, Route};
use tidings_log::Log;
use tidings_model::{LogKind, Time, TopicFilter};
use tidings_protocol::{Frame, Method, Request, Response, Settings, Transport};

use super::Report;
use super::decode::{Heard, VIAS, decode};
use super::oracle::{Oracle, TOPICS};
use super::reader::{Connection, Reader};
use crate::random::Random;
use crate::rooms::{Rooms, namespace};
use crate::tape::{Said, Tape};

static TRANSPORTS: &[&Transport] = &[
    &tidings_poll::POLL,
    &tidings_poll::LONG_POLL,
    &tidings_sse::SSE,
    &tidings_ndjson::NDJSON,
    &tidings_xhr::XHR,
    &tidings_iframe::IFRAME,
    &tidings_multipart::MULTIPART,
    &tidings_websocket::WEBSOCKET,
    &tidings_v1::TIDINGS_V1,
    &tidings_publish::PUBLISH,
    &tidings_sessions::SESSIONS,
];

/// What readers may want; some have only one of the logs, some both.
const WISHES: [&[&str]; 9] = [
    &["a"],
    &["c/1"],
    &["c/*"],
    &["fast/**"],
    &["fast/1"],
    &["**"],
    &["a", "b", "c/2"],
    &["a", "fast/2"],
    &["*/1", "b"],
];

/// The driver's number of whoever is not a reader.
const PUBLISHER: u64 = u64::MAX;

pub(crate) struct World {
    random: Random,
    registry: Registry,
    pub(super) rooms: Rooms,
    epoch: u32,
    oracle: Oracle,
    pub(super) readers: Vec<Reader>,
    pub(super) report: Report,
}

fn rooms(epoch: u32, now: Time) -> Rooms {
    let namespaces = vec![
        namespace("fast/**", LogKind::Volatile, 12),
        namespace("c/*", LogKind::Durable, 3),
        namespace("**", LogKind::Durable, 40),
    ];
    Rooms::new(namespaces, epoch, now)
}

impl World {
    pub(crate) fn new(seed: u64) -> World {
        let mut random = Random::new(seed);
        let now = Time::from_millis(1_000_000);
        let readers = (0..2 + random.below(10))
            .map(|number| {
                let wish = *random.pick(&WISHES);
                let filters = wish.iter().map(|text| TopicFilter::new(text).unwrap()).collect();
                let mut reader = Reader::new(filters);
                if random.one_in(3) {
                    reader.become_session(format!("session {number}"));
                }
                reader
            })
            .collect();
        World {
            random,
            registry: Registry::new(TRANSPORTS, Settings::default()),
            rooms: rooms(1, now),
            epoch: 1,
            oracle: Oracle::default(),
            readers,
            report: Report { seed, ..Report::default() },
        }
    }

    /// One thing happens.
    pub(crate) fn step(&mut self) -> Result<(), String> {
        let reader = self.random.below(self.readers.len() as u64) as usize;
        match self.random.below(1000) {
            0..400 => self.publish(),
            400..500 => {
                self.rooms.dispatch();
                Ok(())
            }
            500..850 if self.readers[reader].connection.is_some() => {
                let most = 1 + self.random.below(12) as usize;
                self.listen(reader, most)
            }
            500..850 => self.connect(reader),
            850..890 => self.disconnect(reader),
            890..910 => self.take_over(reader),
            910..960 => self.acknowledge(reader),
            960..998 => self.pass(),
            _ => self.restart(),
        }?;
        self.check_bounds()
    }

    /// Every reader reads all there is; then nothing may be missing.
    pub(crate) fn finish(mut self) -> Result<Report, String> {
        for reader in 0..self.readers.len() {
            // A poll's connection ends with each answer, so it takes several.
            for _ in 0..200 {
                if self.readers[reader].connection.is_none() {
                    self.connect(reader)?;
                }
                self.rooms.dispatch();
                self.listen(reader, usize::MAX)?;
            }
            let (oracle, now) = (&self.oracle, self.rooms.now);
            self.readers[reader]
                .check_caught_up(oracle, now, &mut self.report)
                .map_err(|what| format!("reader {reader}, caught up: {what}"))?;
        }
        for reader in 0..self.readers.len() {
            self.disconnect(reader)?;
        }
        match self.rooms.subscriptions() {
            0 => Ok(self.report),
            left => Err(format!("{left} subscriptions are left though every reader has gone")),
        }
    }

    /// Publishes through the transport, sometimes twice with the same key.
    fn publish(&mut self) -> Result<(), String> {
        let &(topic, log, _) = self.random.pick(&TOPICS);
        let number = self.oracle.count(topic) + 1;
        let ttl = self.random.one_in(8).then(|| 1 + self.random.below(5));
        let tries = if self.random.one_in(5) { 2 } else { 1 };
        let mut headers = HeaderMap::new();
        let mut set = |name: &'static str, value: String| {
            headers.insert(name, value.parse().unwrap());
        };
        set("content-type", "application/json".to_owned());
        set("idempotency-key", format!("{topic}-{number}-{}", self.epoch));
        if let Some(ttl) = ttl {
            set("tidings-ttl", ttl.to_string());
        }
        let before = self.rooms.logs[log].end().offset;
        for _ in 0..tries {
            let body = json!({ "n": number }).to_string();
            let response = self.post(&format!("/t/{topic}"), headers.clone(), body.into())?;
            if response.status != http::StatusCode::CREATED {
                return Err(format!("a publish was refused: {:?}", response.body));
            }
        }
        let after = self.rooms.logs[log].end().offset;
        if after != before + 1 {
            return Err(format!("{tries} tries of one publish stored {}", after - before));
        }
        let expires = ttl.map(|ttl| self.rooms.now + Duration::from_secs(ttl));
        self.oracle.published(topic, after, expires, self.rooms.now);
        self.report.published += 1;
        Ok(())
    }

    pub(super) fn post(
        &mut self,
        path: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Response, String> {
        let request = Request::new(Method::POST, path, None, headers, body);
        let mut client = self.open(&request, PUBLISHER)?;
        let mut tape = Tape::default();
        self.rooms.house(|house| client.open(&request, house, &mut tape));
        self.rooms.settle(PUBLISHER, &mut client, &mut tape);
        match tape.said.pop_front() {
            Some(Said::Respond(response)) => Ok(response),
            other => Err(format!("a publish was answered by {other:?}")),
        }
    }

    fn open(&self, request: &Request, owner: u64) -> Result<Client, String> {
        match self.registry.route(request) {
            Ok(Route::Exchange(transport) | Route::Socket(transport, _)) => {
                Ok(Client::new(owner, self.registry.open(transport)))
            }
            other => Err(format!("no transport: {other:?}")),
        }
    }

    /// A reader connects, over any transport, from where it stands.
    pub(super) fn connect(&mut self, index: usize) -> Result<(), String> {
        let via = *self.random.pick(&VIAS);
        self.readers[index].connect(&self.oracle);
        let goes_back = self.readers[index].go_back();
        let since = match self.readers[index].position {
            _ if goes_back => String::new(),
            Some(position) if self.readers[index].session.is_none() => {
                self.report.resumed += 1;
                position.to_string()
            }
            _ if self.random.one_in(2) => {
                self.readers[index].begin_now(&self.oracle);
                "now".to_owned()
            }
            _ => {
                self.readers[index].begin_at_start();
                "start".to_owned()
            }
        };
        self.readers[index].acknowledged_if(!goes_back);
        let acks = via == "tidings.v1" && self.random.one_in(2);
        let request = self.request(index, via, &since);
        let mut client = self.open(&request, index as u64)?;
        let full_at = 1 + self.random.below(20) as usize;
        let mut tape = Tape { full_at, ..Tape::default() };
        self.rooms.house(|house| client.open(&request, house, &mut tape));
        if via == "tidings.v1" {
            let topics: Vec<&str> =
                self.readers[index].filters.iter().map(TopicFilter::as_str).collect();
            let mut command = json!({ "do": "subscribe", "sub": "s", "topics": topics });
            if !since.is_empty() {
                command["since"] = since.into();
            }
            if let Some(session) = &self.readers[index].session {
                command["session"] = session.name.as_str().into();
                command["ack"] = "explicit".into();
            }
            if acks {
                command["window"] = (1 + self.random.below(5)).into();
            }
            let command = command.to_string();
            self.rooms.house(|house| client.frame(Frame::Text(&command), house, &mut tape));
        }
        self.rooms.settle(index as u64, &mut client, &mut tape);
        self.readers[index].connection = Some(Connection { via, client, tape, acks, acked: None });
        Ok(())
    }

    fn request(&mut self, index: usize, via: &str, since: &str) -> Request {
        let mut headers = HeaderMap::new();
        if matches!(via, "ws" | "tidings.v1") {
            headers.insert("upgrade", "websocket".parse().unwrap());
        }
        if via == "tidings.v1" {
            return Request::new(Method::GET, "/ws", None, headers, Bytes::new());
        }
        let mut query = format!("via={via}");
        if !since.is_empty() {
            query += &format!("&since={since}");
        }
        if let Some(session) = &self.readers[index].session {
            query += &format!("&session={}&ack=explicit", session.name.replace(' ', "+"));
        }
        if matches!(via, "poll" | "longpoll") {
            query += &format!("&limit={}", 1 + self.random.below(30));
        }
        if matches!(via, "xhr" | "iframe") {
            query += &format!("&bytes={}", 1 + self.random.below(4000));
        }
        for filter in &self.readers[index].filters {
            query += &format!("&topic={filter}");
        }
        Request::new(Method::GET, "/t", Some(&query), headers, Bytes::new())
    }

    /// A reader reads, and hears at most so much of what was said.
    fn listen(&mut self, index: usize, most: usize) -> Result<(), String> {
        let Some(mut connection) = self.readers[index].connection.take() else { return Ok(()) };
        let Connection { via, client, tape, acks, acked } = &mut connection;
        let now = self.rooms.now;
        let mut ended = false;
        let mut left = most;
        loop {
            let more = self.rooms.house(|house| client.deliver(house, tape));
            let before = left;
            while left > 0
                && let Some(said) = tape.said.pop_front()
            {
                left -= 1;
                for heard in decode(via, &said).map_err(|what| format!("{via}: {what}"))? {
                    ended |= matches!(heard, Heard::End);
                    self.readers[index]
                        .hear(heard, &self.oracle, now, &mut self.report)
                        .map_err(|what| format!("reader {index} over {via}: {what}"))?;
                }
            }
            if tape.said.is_empty() {
                self.rooms.taken(client);
            }
            let position = self.readers[index].position;
            if *acks && let Some(position) = position.filter(|&position| *acked != Some(position)) {
                *acked = Some(position);
                let ack = json!({ "do": "ack", "sub": "s", "position": position.to_string() });
                let ack = ack.to_string();
                self.rooms.house(|house| client.frame(Frame::Text(&ack), house, tape));
                self.rooms.settle(index as u64, client, tape);
                self.readers[index].acknowledged();
            }
            let heard_something = left < before;
            if ended || left == 0 || !(more || (heard_something && most == usize::MAX)) {
                break;
            }
        }
        if ended {
            self.rooms.leave(&mut connection.client);
        } else {
            self.readers[index].connection = Some(connection);
        }
        Ok(())
    }

    /// A connection breaks; what was said and not heard is lost with it.
    fn disconnect(&mut self, index: usize) -> Result<(), String> {
        if let Some(mut connection) = self.readers[index].connection.take() {
            self.rooms.leave(&mut connection.client);
        }
        Ok(())
    }

    /// Time passes; deadlines come and ages are looked at.
    fn pass(&mut self) -> Result<(), String> {
        let span = Duration::from_millis(self.random.below(4000));
        self.rooms.now = self.rooms.now + span;
        let now = self.rooms.now;
        if self.random.one_in(3) {
            self.rooms.broker.tick(now);
            self.oracle.ticked(now);
        }
        for reader in &mut self.readers {
            if let Some(Connection { client, tape, .. }) = &mut reader.connection
                && tape.wake_at.is_some_and(|at| at <= now)
            {
                tape.wake_at = None;
                self.rooms.house(|house| client.deadline(house, tape));
            }
        }
        Ok(())
    }

    /// The server starts anew, with empty logs.
    fn restart(&mut self) -> Result<(), String> {
        self.epoch += 1;
        self.rooms = rooms(self.epoch, self.rooms.now);
        self.oracle = Oracle::default();
        for reader in &mut self.readers {
            reader.connection = None;
            reader.outdate();
            reader.forget_session();
        }
        Ok(())
    }

    fn check_bounds(&self) -> Result<(), String> {
        let open = self.readers.iter().filter(|reader| reader.connection.is_some()).count();
        if self.rooms.subscriptions() > open {
            return Err("there are more subscriptions than open connections".to_owned());
        }
        let bytes: u64 = LogKind::ALL.iter().map(|&log| self.rooms.logs[log].bytes()).sum();
        let most = TOPICS.iter().map(|&(_, _, keep)| keep as u64 * 200).sum();
        if bytes > most {
            return Err(format!("the logs hold {bytes} bytes, more than {most}"));
        }
        Ok(())
    }
}
