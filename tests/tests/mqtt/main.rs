//! MQTT 3.1, 3.1.1 and 5.0 over TCP and WebSocket, and beside every other way of reading.
//! Must never look at anything but the wire.

mod carrier;
mod connecting;
mod kill;
mod properties;
mod qos;
mod refusals;
mod retained;
mod rumqttc;
mod sessions;
mod shared;
mod ways;
mod wills;

use tidings_mqtt_codec::{Connect, Version};
use tidings_tests::{Mqtt, Server};

/// Every version there is.
const VERSIONS: [Version; 3] = [Version::V31, Version::V311, Version::V5];

/// A server that listens for MQTT, with these settings besides.
#[track_caller]
fn server(settings: &[(&str, &str)]) -> Server {
    let settings: Vec<_> =
        [("MQTT_LISTEN", "127.0.0.1:0")].iter().chain(settings).copied().collect();
    Server::with(&settings)
}

/// A client of it.
#[track_caller]
fn client(server: &Server, connect: Connect) -> Mqtt {
    Mqtt::connect(server.mqtt(), connect)
}

/// Whether the client's session was there; MQTT 3.1 has no word for that.
fn is_present(client: &Mqtt) -> bool {
    client.connack.session_present || client.version == Version::V31
}
