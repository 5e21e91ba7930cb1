//! Where the server listens, and for what.

use std::net::{SocketAddr, TcpListener};

use tidings_net::{Carries, Listener};

use crate::config::{Config, PortChoice};

/// The port of MQTT over TCP, as registered.
const MQTT: u16 = 1883;

/// Every port, that of HTTP first.
pub(crate) fn listeners(config: &Config) -> Vec<Listener> {
    let mqtt = match config.mqtt.listen {
        PortChoice::None => None,
        PortChoice::At(address) => Some(address),
        PortChoice::Auto => usual(config.listen, MQTT),
    };
    let http = Listener { address: config.listen, carries: Carries::Http };
    let carries = Carries::Stream(&tidings_mqtt::MQTT);
    [http].into_iter().chain(mqtt.map(|address| Listener { address, carries })).collect()
}

/// The usual port beside that of HTTP, if nobody else has it. Whoever has the system choose a port
/// runs several servers, perhaps, and wants no other one.
fn usual(http: SocketAddr, port: u16) -> Option<SocketAddr> {
    if http.port() == 0 {
        return None;
    }
    let address = SocketAddr::new(http.ip(), port);
    match TcpListener::bind(address) {
        Ok(_) => Some(address),
        Err(error) => {
            tracing::warn!(
                "MQTT over TCP is not served: {address}: {error}; choose another address by \
                 mqtt.listen, or say none"
            );
            None
        }
    }
}
