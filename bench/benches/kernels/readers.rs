//! Listeners to one topic, with everything between a publish and their sockets, but no sockets.

use std::hint::black_box;
use std::sync::Arc;

use anyhow::ensure;
use bytes::Bytes;
use http::HeaderMap;
use tidings_host::{Carrier, Client};
use tidings_model::{LogKind, Time, Topic};
use tidings_mqtt_codec::{Connect, Packet, PacketId, Subscribe, SubscribeFilter, Version};
use tidings_protocol::{CloseReason, Method, Mount, Request, Response, Settings, Transport};
use tidings_testkit::{Rooms, namespace};

use crate::kernels::{Work, message};

/// A house with its listeners.
pub(crate) struct Readers {
    rooms: Rooms,
    clients: Vec<(Client, Sink)>,
    topic: Topic,
}

/// What is told is counted and forgotten.
#[derive(Default)]
struct Sink {
    bytes: usize,
}

impl Carrier for Sink {
    fn respond(&mut self, response: Response) {
        black_box(response);
    }

    fn begin(&mut self, head: Response) {
        black_box(head);
    }

    fn send(&mut self, bytes: Bytes) {
        self.bytes += bytes.len();
    }

    fn text(&mut self, head: Bytes, body: Bytes) {
        self.bytes += head.len() + body.len();
    }

    fn binary(&mut self, payload: Bytes) {
        self.bytes += payload.len();
    }

    fn wake_at(&mut self, time: Time) {
        black_box(time);
    }

    fn wakes_at(&self) -> Option<Time> {
        None
    }

    fn close(&mut self, reason: CloseReason) {
        black_box(reason);
    }

    fn is_full(&self) -> bool {
        false
    }
}

impl Readers {
    /// Publishes a message to so many listeners of one kind, again and again.
    pub(crate) fn work(transport: &'static Transport, count: u64) -> anyhow::Result<Work> {
        let now = Time::from_millis(1_800_000_000_000);
        let rooms = Rooms::new(vec![namespace("**", LogKind::Volatile, 100)], 1, now);
        let mut readers = Readers { rooms, clients: Vec::new(), topic: Topic::new("t")? };
        for owner in 0..count {
            let machine = (transport.open)(&Arc::new(Settings::default()));
            let mut client = Client::new(owner, machine);
            let mut sink = Sink::default();
            match transport.mount {
                Mount::Stream => mqtt(&mut readers.rooms, owner, &mut client, &mut sink)?,
                _ => {
                    let (path, query) = ("/t/t", Some("since=now"));
                    let request =
                        Request::new(Method::GET, path, query, HeaderMap::new(), Bytes::new());
                    readers.rooms.house(|house| client.open(&request, house, &mut sink));
                }
            }
            ensure!(!client.is_done(), "{} does not listen", transport.name);
            readers.clients.push((client, sink));
        }
        // It must be deliveries that are counted, not failures.
        let silent = readers.heard();
        readers.round();
        ensure!(readers.heard() - silent >= 128 * count as usize, "not everyone heard it");
        Ok(Box::new(move |rounds| (0..rounds).for_each(|_| readers.round())))
    }

    fn heard(&self) -> usize {
        self.clients.iter().map(|(_, sink)| sink.bytes).sum()
    }

    fn round(&mut self) {
        self.rooms.publish(message(&self.topic));
        for owner in self.rooms.dispatch() {
            let (client, sink) = &mut self.clients[owner as usize];
            self.rooms.house(|house| client.deliver(house, sink));
        }
    }
}

/// Has a client of MQTT listen.
fn mqtt(rooms: &mut Rooms, owner: u64, client: &mut Client, sink: &mut Sink) -> anyhow::Result<()> {
    let (version, client_id) = (Version::V311, owner.to_string());
    let connect = Connect { version, client_id, clean_start: true, ..Connect::default() };
    let filters = vec![SubscribeFilter { filter: "t".to_owned(), ..SubscribeFilter::default() }];
    let subscribe =
        Subscribe { packet_id: PacketId::MIN, subscription_id: None, user: Vec::new(), filters };
    let mut bytes = Vec::new();
    Packet::Connect(Box::new(connect)).encode(version, &mut bytes)?;
    Packet::Subscribe(Box::new(subscribe)).encode(version, &mut bytes)?;
    rooms.house(|house| client.connected(house, sink));
    rooms.house(|house| client.bytes(&bytes, house, sink));
    rooms.settle(owner, client, sink);
    rooms.house(|house| client.deliver(house, sink));
    rooms.settle(owner, client, sink);
    Ok(())
}
