//! Where the server listens, and for what.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use tidings_net::{Carries, Listener, Tls};

use crate::config::{Config, PortChoice};

/// The port of HTTP over TLS, for whoever may not use 443.
const HTTPS: u16 = 8443;

/// The port of MQTT over TCP, as registered.
const MQTT: u16 = 1883;

/// The port of MQTT over TLS, as registered.
const MQTTS: u16 = 8883;

/// Every port, that of HTTP first.
pub(crate) fn listeners(config: &Config, tls: Option<&Arc<Tls>>) -> Vec<Listener> {
    let http = Listener { address: config.listen, carries: Carries::Http, tls: None };
    let mut all = vec![http];
    if let (Some(tls), Some(address)) = (tls, https(config)) {
        all.push(Listener { address, carries: Carries::Http, tls: Some(Arc::clone(tls)) });
    }
    let carries = Carries::Stream(&tidings_mqtt::MQTT);
    if let Some(address) = chosen(config, &config.mqtt.listen, "mqtt.listen", MQTT) {
        all.push(Listener { address, carries, tls: None });
    }
    if let Some(tls) = tls
        && let Some(address) = chosen(config, &config.mqtt.tls_listen, "mqtt.tls_listen", MQTTS)
    {
        all.push(Listener { address, carries, tls: Some(Arc::clone(tls)) });
    }
    all
}

/// Who names a certificate wants it to be shown: if the port is not free, the server does not start.
fn https(config: &Config) -> Option<SocketAddr> {
    match config.tls.listen {
        PortChoice::None => None,
        PortChoice::At(address) => Some(address),
        PortChoice::Auto if config.listen.port() == 0 => Some(config.listen),
        PortChoice::Auto => Some(SocketAddr::new(config.listen.ip(), HTTPS)),
    }
}

fn chosen(config: &Config, choice: &PortChoice, key: &str, port: u16) -> Option<SocketAddr> {
    match *choice {
        PortChoice::None => None,
        PortChoice::At(address) => Some(address),
        PortChoice::Auto => usual(config.listen, key, port),
    }
}

/// The usual port beside that of HTTP, if nobody else has it. Whoever has the system choose a port
/// runs several servers, perhaps, and wants no other one.
fn usual(http: SocketAddr, key: &str, port: u16) -> Option<SocketAddr> {
    if http.port() == 0 {
        return None;
    }
    let address = SocketAddr::new(http.ip(), port);
    match TcpListener::bind(address) {
        Ok(_) => Some(address),
        Err(error) => {
            tracing::warn!(
                "MQTT is not served there: {address}: {error}; choose another address by {key}, or \
                 say none"
            );
            None
        }
    }
}
