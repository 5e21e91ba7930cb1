//! The registry: every transport there is, one line each.
//!
//! A new transport is its folder, its dependency line, and its line here; nothing else may know
//! transports by name.

use tidings_protocol::Transport;

/// Every transport. The first that reads serves whoever asks for nothing special.
pub(crate) static TRANSPORTS: &[&Transport] = &[
    &tidings_poll::POLL,
    &tidings_poll::LONG_POLL,
    &tidings_sse::SSE,
    &tidings_ndjson::NDJSON,
    &tidings_xhr::XHR,
    &tidings_iframe::IFRAME,
    &tidings_multipart::MULTIPART,
    &tidings_websocket::WEBSOCKET,
    &tidings_v1::TIDINGS_V1,
    &tidings_mqtt::MQTT,
    &tidings_mqtt::MQTT_SOCKET,
    &tidings_mqtt::MQTT_SOCKET_31,
    &tidings_feed::ATOM,
    &tidings_feed::RSS,
    &tidings_jsonp::JSONP,
    &tidings_page::PAGE,
    &tidings_publish::PUBLISH,
    &tidings_sessions::SESSIONS,
    &tidings_pushlet::PUSHLET,
];
