//! A server that is killed over and over while messages are under way in both directions: whoever
//! was told that one has arrived need not send it again, and nobody gets one of exactly once twice.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tidings_mqtt_codec::{Ack, Packet, PacketId, Publish, QoS, Version};
use tidings_tests::{Folder, Mqtt, Random, crash, filter, lasting, packet_id, publish, until, v5};

use crate::{client, server};

/// How often the server is killed for each version; more with `TIDINGS_TEST_KILLS`.
const KILLS: u64 = 6;

/// The kill comes at most so long after the clients are at work.
const PAUSE_MILLIS_MAX: u64 = 120;

/// Messages that a publisher has under way.
const WINDOW: usize = 20;

/// Messages that the reader leaves without an answer at most.
const UNANSWERED: usize = 6;

/// The last message.
const END: &str = "load/end";

/// Where the clients find the server, and whether they are to come to an end.
struct Stage {
    address: Mutex<SocketAddr>,
    is_over: AtomicBool,
}

impl Stage {
    /// A connection to the server, as soon as there is one.
    #[track_caller]
    fn connect(&self, version: Version, id: &str) -> Mqtt {
        let client = until("the server is back", || {
            let address = *self.address.lock().unwrap_or_else(|_| panic!("somebody failed"));
            Mqtt::try_connect(address, lasting(version, id))
        });
        assert!(client.connack.session_present, "the session of {id} is lost");
        client
    }
}

/// A message on its way to the server.
struct Outgoing {
    message: Publish,
    id: PacketId,
    /// Whether PUBREC came.
    is_released: bool,
}

impl Outgoing {
    fn packet(&self) -> Packet {
        match self.is_released {
            true => Packet::PubRel(Ack::success(self.id)),
            false => Packet::Publish(self.message.clone()),
        }
    }
}

/// Publishes numbers from 1 on in both qualities until the end, and gives the last of each.
fn publish_all(stage: &Stage, version: Version, seed: u64) -> [u64; 2] {
    let mut random = Random::new(seed);
    let mut last = [0, 0];
    let mut ids = (1..=2 * WINDOW as u16).map(packet_id).collect::<VecDeque<_>>();
    let mut under_way: VecDeque<Outgoing> = VecDeque::new();
    loop {
        let mut client = stage.connect(version, "publisher");
        let mut is_up = true;
        for one in &mut under_way {
            one.message.dup = true;
            is_up &= client.try_send(&one.packet()).is_ok();
        }
        while is_up {
            while is_up && under_way.len() < WINDOW && !stage.is_over.load(Ordering::SeqCst) {
                let which = random.below(2) as usize;
                let qos = [QoS::AtLeastOnce, QoS::ExactlyOnce][which];
                last[which] += 1;
                let id = ids.pop_front().unwrap_or_else(|| panic!("no identifier is left"));
                let topic = format!("load/{}", which + 1);
                let message = publish(&topic, last[which].to_string(), qos, id.get());
                let one = Outgoing { message, id, is_released: false };
                is_up = client.try_send(&one.packet()).is_ok();
                under_way.push_back(one);
            }
            if under_way.is_empty() {
                return last;
            }
            let Some(packet) = client.packet() else { break };
            is_up &= answered(&packet, &mut client, &mut under_way, &mut ids);
        }
    }
}

/// Goes on by an answer. Says whether the connection is still there.
fn answered(
    packet: &Packet,
    client: &mut Mqtt,
    under_way: &mut VecDeque<Outgoing>,
    ids: &mut VecDeque<PacketId>,
) -> bool {
    let (Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubComp(ack)) = packet else {
        panic!("{packet:?}")
    };
    let Some(place) = under_way.iter().position(|one| one.id == ack.packet_id) else { return true };
    if matches!(packet, Packet::PubRec(_)) {
        assert!(!ack.reason.is_error(), "{ack:?}");
        under_way[place].is_released = true;
        return client.try_send(&under_way[place].packet()).is_ok();
    }
    ids.extend(under_way.remove(place).map(|one| one.id));
    true
}

/// What the reader has, and what it owes.
#[derive(Default)]
struct Incoming {
    /// The last number of each quality.
    last: [u64; 2],
    /// Messages of exactly once that it has and may be sent again.
    held: BTreeMap<PacketId, u64>,
    /// Messages that it has not answered.
    unanswered: Vec<Packet>,
}

impl Incoming {
    /// Takes a message. Everything is new and the next, or known and sent again.
    fn take(&mut self, message: &Publish) {
        let id = message.packet_id.unwrap_or_else(|| panic!("{message:?}"));
        let number = String::from_utf8_lossy(&message.payload).parse().unwrap_or(0);
        let is_exact = message.qos == QoS::ExactlyOnce;
        let last = &mut self.last[usize::from(is_exact)];
        if number == *last + 1 && !self.held.contains_key(&id) {
            *last = number;
        } else {
            assert!(number <= *last, "{message:?} after {last}");
            // One of the other quality is another message if its publisher sent it again.
            let is_same = message.dup && self.held.get(&id) == Some(&number);
            assert!(!is_exact || is_same, "{message:?} after {last}, with {:?}", self.held);
        }
        if is_exact {
            self.held.insert(id, number);
        }
        self.unanswered.push(match is_exact {
            true => Packet::PubRec(Ack::success(id)),
            false => Packet::PubAck(Ack::success(id)),
        });
    }
}

/// Reads until the end, and gives the last number of each quality.
fn read_all(stage: &Stage, version: Version, seed: u64) -> [u64; 2] {
    let mut random = Random::new(seed);
    let mut incoming = Incoming::default();
    loop {
        let mut client = stage.connect(version, "reader");
        incoming.unanswered.clear();
        while let Some(packet) = client.packet() {
            let mut is_up = true;
            match packet {
                Packet::Publish(message) if message.topic == END => return incoming.last,
                Packet::Publish(message) => incoming.take(&message),
                Packet::PubRel(ack) => {
                    incoming.held.remove(&ack.packet_id);
                    is_up = client.try_send(&Packet::PubComp(ack)).is_ok();
                }
                other => panic!("{other:?}"),
            }
            while incoming.unanswered.len() > random.below(UNANSWERED as u64) as usize {
                let any = random.below(incoming.unanswered.len() as u64) as usize;
                is_up &= client.try_send(&incoming.unanswered.remove(any)).is_ok();
            }
            if !is_up {
                break;
            }
        }
    }
}

#[test]
fn killed_at_any_moment_it_loses_nothing_and_doubles_nothing() {
    let set = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let kills = set("TIDINGS_TEST_KILLS").unwrap_or(KILLS);
    let seed = set("TIDINGS_TEST_SEED").unwrap_or_else(crash::any_seed);
    // Shown when the test fails.
    println!("the same again: TIDINGS_TEST_KILLS={kills} TIDINGS_TEST_SEED={seed}");
    for version in [Version::V311, Version::V5] {
        series(version, kills, &mut Random::new(seed));
    }
}

/// Kills a server so often under clients of this version.
fn series(version: Version, kills: u64, random: &mut Random) {
    let folder = Folder::new();
    let begin = || server(&[("DATA", &folder.text())]);
    let mut server = begin();
    let mut reader = client(&server, lasting(version, "reader"));
    let wanted = ["load/1", "load/2", END].map(|topic| filter(topic, QoS::ExactlyOnce));
    reader.subscribe(wanted.to_vec());
    drop((reader, client(&server, lasting(version, "publisher"))));
    let stage = Stage { address: Mutex::new(server.mqtt()), is_over: AtomicBool::new(false) };
    let seeds = [random.bits(), random.bits()];
    thread::scope(|scope| {
        let publisher = scope.spawn(|| publish_all(&stage, version, seeds[0]));
        let reader = scope.spawn(|| read_all(&stage, version, seeds[1]));
        for _ in 0..kills {
            thread::sleep(Duration::from_millis(random.below(PAUSE_MILLIS_MAX)));
            server.kill();
            server = begin();
            *stage.address.lock().unwrap_or_else(|_| panic!("somebody failed")) = server.mqtt();
        }
        stage.is_over.store(true, Ordering::SeqCst);
        let sent = publisher.join().unwrap_or_else(|_| panic!("the publisher failed"));
        client(&server, v5("end")).publish(publish(END, "", QoS::AtLeastOnce, 1));
        let got = reader.join().unwrap_or_else(|_| panic!("the reader failed"));
        assert_eq!(got, sent);
        assert!(sent.iter().all(|&count| count > kills), "{sent:?}");
    });
}
