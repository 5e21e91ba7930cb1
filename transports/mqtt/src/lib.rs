//! MQTT 3.1, 3.1.1 and 5.0 over raw streams and WebSockets, on the topics, the log and the sessions
//! of everybody else. Documented in `docs/guide/mqtt.md`; sections are those of MQTT 5.0.
//!
//! A client's session is a cursor: what it reads, how far it has come, and a few numbers of what is
//! under way. Must never hold a message for a client that is not there.

mod aliases;
mod connect;
mod deliver;
mod filters;
mod flights;
mod incoming;
mod login;
mod machine;
mod message;
mod names;
mod notes;
mod recall;
mod shared;
mod subscribe;
mod turn;
mod work;

use std::sync::Arc;

use tidings_protocol::{Mount, Protocol, Settings, Transport};

/// MQTT over TCP.
pub static MQTT: Transport = Transport {
    name: "mqtt",
    summary: "MQTT 3.1, 3.1.1 and 5.0, for devices and applications",
    standard: "OASIS MQTT 5.0 and 3.1.1, MQTT 3.1",
    mount: Mount::Stream,
    open,
};

/// MQTT over WebSocket.
pub static MQTT_SOCKET: Transport = Transport {
    name: "mqtt-websocket",
    summary: "MQTT over WebSocket, for browsers",
    standard: "OASIS MQTT 5.0 section 6",
    mount: Mount::Socket { path: PATH, subprotocol: "mqtt", logs_in: true },
    open,
};

/// MQTT over WebSocket, as clients of MQTT 3.1 name it.
pub static MQTT_SOCKET_31: Transport = Transport {
    name: "mqtt31-websocket",
    summary: "MQTT over WebSocket, for browsers with old clients",
    standard: "MQTT 3.1",
    mount: Mount::Socket { path: PATH, subprotocol: "mqttv3.1", logs_in: true },
    open,
};

/// Where WebSockets of MQTT connect to.
const PATH: &str = "/mqtt";

fn open(settings: &Arc<Settings>) -> Box<dyn Protocol> {
    Box::new(machine::Machine::new(settings))
}
