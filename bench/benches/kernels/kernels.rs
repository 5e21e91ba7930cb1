//! The kernels, in one visible list.

use std::hint::black_box;
use std::sync::mpsc::channel;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use tidings_log::{
    Batch, DiskLog, DiskOptions, Level, Log, MemoryLimits, MemoryLog, Retention, Threads,
};
use tidings_model::{EventType, Headers, LogKind, Manner, Message, Time, Topic, TopicFilter};
use tidings_mqtt_codec as mqtt;
use tidings_testkit::FakeDisk;
use tidings_websocket_codec::{Decoder, Limits, Opcode, Role, frame_header, write_masked_frame};

use crate::readers::Readers;

/// Does its work so many times.
pub(crate) type Work = Box<dyn FnMut(u64)>;

/// A small piece of work that is done very often.
pub(crate) struct Kernel {
    /// Its name.
    pub(crate) name: &'static str,
    /// What is counted as one.
    pub(crate) unit: &'static str,
    /// How many of those one round of the work has.
    pub(crate) units: u64,
    /// Rounds when instructions are counted.
    pub(crate) rounds: u64,
    /// Makes it.
    pub(crate) make: fn() -> anyhow::Result<Work>,
}

impl std::fmt::Display for Kernel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// Listeners of one topic.
const LISTENERS: u64 = 100;
/// The bytes of a message.
const MESSAGE_BYTES: usize = 128;

pub(crate) const KERNELS: &[Kernel] = &[
    Kernel { name: "websocket_decode", unit: "frame", units: 1, rounds: 20_000, make: decode },
    Kernel { name: "websocket_encode", unit: "frame", units: 1, rounds: 20_000, make: encode },
    Kernel { name: "mqtt_decode", unit: "message", units: 1, rounds: 20_000, make: decode_mqtt },
    Kernel { name: "filter_match", unit: "match", units: 4, rounds: 2_000, make: matching },
    Kernel { name: "memory_append", unit: "message", units: 1, rounds: 5_000, make: memory },
    Kernel { name: "disk_append", unit: "message", units: 64, rounds: 100, make: disk },
    Kernel {
        name: "fanout_sse",
        unit: "delivery",
        units: LISTENERS,
        rounds: 50,
        make: || Readers::work(&tidings_sse::SSE, LISTENERS),
    },
    Kernel {
        name: "fanout_websocket",
        unit: "delivery",
        units: LISTENERS,
        rounds: 50,
        make: || Readers::work(&tidings_websocket::WEBSOCKET, LISTENERS),
    },
    Kernel {
        name: "fanout_mqtt",
        unit: "delivery",
        units: LISTENERS,
        rounds: 50,
        make: || Readers::work(&tidings_mqtt::MQTT, LISTENERS),
    },
    Kernel {
        name: "publish_unheard",
        unit: "message",
        units: 1,
        rounds: 5_000,
        make: || Readers::work(&tidings_sse::SSE, 0),
    },
];

/// Does one kernel's work and nothing else: what valgrind watches.
pub(crate) fn once(name: &str, rounds: &str) -> anyhow::Result<()> {
    let kernel = KERNELS.iter().find(|kernel| kernel.name == name).context("no such kernel")?;
    (kernel.make)()?(rounds.parse()?);
    Ok(())
}

/// A message of the usual size.
pub(crate) fn message(topic: &Topic) -> Message {
    Message {
        topic: topic.clone(),
        payload: Bytes::from_static(&[b'm'; MESSAGE_BYTES]),
        content_type: "text/plain; charset=utf-8".into(),
        event_type: EventType::MESSAGE,
        headers: Headers::default(),
        from: None,
        key: None,
        time: Time::from_millis(1_800_000_000_000),
        expires: None,
        manner: Manner::default(),
    }
}

fn decode() -> anyhow::Result<Work> {
    let mut frame = Vec::new();
    write_masked_frame(&mut frame, Opcode::Text, &[b'm'; MESSAGE_BYTES], [1, 2, 3, 4]);
    let mut scratch = frame.clone();
    let mut decoder = Decoder::new(Role::Server, Limits::default());
    Ok(Box::new(move |rounds| {
        for _ in 0..rounds {
            // It is unmasked where it is.
            scratch.copy_from_slice(&frame);
            let mut input = &mut scratch[..];
            while let Ok(Some(item)) = decoder.decode(&mut input) {
                black_box(item);
            }
        }
    }))
}

fn decode_mqtt() -> anyhow::Result<Work> {
    let mut decoder = mqtt::Decoder::server(mqtt::Limits::default());
    let connect = mqtt::Connect { clean_start: true, ..mqtt::Connect::default() };
    let (version, mut bytes) = (connect.version, Vec::new());
    mqtt::Packet::Connect(Box::new(connect)).encode(version, &mut bytes)?;
    decoder.decode(&mut &bytes[..])?;
    let publish = mqtt::Publish {
        qos: mqtt::QoS::AtLeastOnce,
        topic: "chat/room1".to_owned(),
        packet_id: Some(mqtt::PacketId::MIN),
        payload: Bytes::from_static(&[b'm'; MESSAGE_BYTES]),
        ..mqtt::Publish::default()
    };
    let mut packet = Vec::new();
    publish.encode(version, &mut packet)?;
    Ok(Box::new(move |rounds| {
        for _ in 0..rounds {
            let mut input = &packet[..];
            while let Ok(Some(packet)) = decoder.decode(&mut input) {
                black_box(packet);
            }
        }
    }))
}

fn encode() -> anyhow::Result<Work> {
    let mut out = Vec::with_capacity(2 * MESSAGE_BYTES);
    Ok(Box::new(move |rounds| {
        for _ in 0..rounds {
            out.clear();
            let header = frame_header(Opcode::Text, black_box(MESSAGE_BYTES), None);
            out.extend_from_slice(header.as_slice());
            out.extend_from_slice(&[b'm'; MESSAGE_BYTES]);
            black_box(&out);
        }
    }))
}

fn matching() -> anyhow::Result<Work> {
    let filters = ["chat/*/news", "chat/**"].map(TopicFilter::new);
    let topics = ["chat/room1/news", "chat/room1/deep/er"].map(Topic::new);
    let filters: Vec<TopicFilter> = filters.into_iter().collect::<Result<_, _>>()?;
    let topics: Vec<Topic> = topics.into_iter().collect::<Result<_, _>>()?;
    Ok(Box::new(move |rounds| {
        for _ in 0..rounds {
            for filter in &filters {
                for topic in &topics {
                    black_box(black_box(filter).matches(black_box(topic)));
                }
            }
        }
    }))
}

fn topics(count: u32) -> anyhow::Result<Vec<Topic>> {
    Ok((0..count).map(|number| Topic::new(&format!("t/{number}"))).collect::<Result<_, _>>()?)
}

fn retention() -> Retention {
    Retention { messages_max: 100, ..Retention::default() }
}

fn memory() -> anyhow::Result<Work> {
    let policy = Box::new(|_: &Topic| retention());
    let log = MemoryLog::new(LogKind::Volatile, 1, MemoryLimits::default(), policy);
    let topics = topics(100)?;
    Ok(Box::new(move |rounds| {
        for topic in topics.iter().cycle().take(rounds as usize) {
            let messages = vec![message(topic)];
            let batch = Batch { messages, token: None, level: Level::Fsync };
            log.append(batch, Box::new(|mark| assert!(mark.is_ok())));
        }
    }))
}

fn disk() -> anyhow::Result<Work> {
    let options = DiskOptions {
        kind: LogKind::Durable,
        fresh_epoch: 1,
        topics_max: 1000,
        policy: Box::new(|_| retention()),
        remember: Duration::ZERO,
        salt: Box::new(|| 1),
        segment_bytes: None,
        flush_within: Duration::from_secs(1),
        threads: Threads::Own,
    };
    let now = Time::from_millis(1_800_000_000_000);
    let (log, _) = DiskLog::open(Box::new(FakeDisk::default()), options, now)?;
    let topics = topics(64)?;
    Ok(Box::new(move |rounds| {
        for _ in 0..rounds {
            let (sender, receiver) = channel();
            let messages = topics.iter().map(message).collect();
            let done = Box::new(move |mark| assert!(sender.send(mark).is_ok()));
            log.append(Batch { messages, token: None, level: Level::Fsync }, done);
            assert!(receiver.recv().is_ok_and(|mark| mark.is_ok()));
        }
    }))
}
