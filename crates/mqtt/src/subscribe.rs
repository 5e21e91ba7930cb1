//! SUBSCRIBE and UNSUBSCRIBE (sections 3.8 and 3.10). Must never decide who may subscribe.

use crate::error::{EncodeError, Fault};
use crate::property::{OF_SUBSCRIBE, OF_UNSUBSCRIBE, SUBSCRIPTION_IDENTIFIER};
use crate::qos::QoS;
use crate::reader::Reader;
use crate::topic::{Shared, TopicError, check_topic_filter};
use crate::version::Version;
use crate::writer::{Body, Sink};
use crate::{PacketId, VARINT_MAX};

/// A client asks for subscriptions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribe {
    /// SUBACK will have the same.
    pub packet_id: PacketId,
    /// What messages of these subscriptions come marked with, 1 to 268,435,455. Since MQTT 5.0.
    pub subscription_id: Option<u32>,
    /// User properties: names and values, in order. Since MQTT 5.0.
    pub user: Vec<(String, String)>,
    /// What to subscribe to; never empty.
    pub filters: Vec<SubscribeFilter>,
}

/// What to subscribe to, and how (section 3.8.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubscribeFilter {
    /// The topic filter, valid by section 4.7; on MQTT 5.0 also by section 4.8.
    pub filter: String,
    /// The largest QoS that messages should come with.
    pub qos: QoS,
    /// Not what this client publishes itself. Since MQTT 5.0, as all that follows.
    pub no_local: bool,
    /// RETAIN as the publisher set it, not only for messages from before the subscription.
    pub retain_as_published: bool,
    /// When retained messages are sent.
    pub retain_handling: RetainHandling,
}

/// When retained messages are sent (section 3.8.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum RetainHandling {
    /// At every SUBSCRIBE.
    #[default]
    Send = 0,
    /// Only if there was no such subscription before.
    SendIfNew = 1,
    /// Never.
    DoNotSend = 2,
}

/// A client gives subscriptions up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsubscribe {
    /// UNSUBACK will have the same.
    pub packet_id: PacketId,
    /// User properties: names and values, in order. Since MQTT 5.0.
    pub user: Vec<(String, String)>,
    /// The topic filters, as they were subscribed to; never empty.
    pub filters: Vec<String>,
}

impl Subscribe {
    pub(crate) fn parse(reader: &mut Reader<'_>, version: Version) -> Result<Subscribe, Fault> {
        let packet_id = reader.packet_id()?;
        let (mut subscription_id, mut user) = (None, Vec::new());
        if version == Version::V5 {
            reader.properties(OF_SUBSCRIBE, |id, value| {
                match id {
                    SUBSCRIPTION_IDENTIFIER => subscription_id = Some(read_id(value)?),
                    _ => user.push(value.pair()?),
                }
                Ok(())
            })?;
        }
        let mut filters = Vec::new();
        while !reader.is_empty() {
            filters.push(SubscribeFilter::parse(reader, version)?);
        }
        if filters.is_empty() {
            return Err(Fault::NoFilter);
        }
        Ok(Subscribe { packet_id, subscription_id, user, filters })
    }

    pub(crate) fn check(&self, version: Version) -> Result<(), EncodeError> {
        if self.subscription_id.is_some_and(|id| !(1..=VARINT_MAX).contains(&id)) {
            return Err(EncodeError::SubscriptionId);
        }
        if self.filters.is_empty() {
            return Err(EncodeError::NoFilter);
        }
        for filter in &self.filters {
            let is_shared = check_filter(&filter.filter, version)?;
            if is_shared && filter.no_local {
                return Err(EncodeError::NoLocalShared);
            }
        }
        Ok(())
    }
}

impl SubscribeFilter {
    fn parse(reader: &mut Reader<'_>, version: Version) -> Result<SubscribeFilter, Fault> {
        let filter = reader.text()?;
        let is_shared = check_filter(filter, version).map_err(Fault::Filter)?;
        let options = reader.u8()?;
        let reserved = match version {
            Version::V31 => 0, // not used (section 3.8 of MQTT 3.1)
            Version::V311 => 0b1111_1100,
            Version::V5 => 0b1100_0000,
        };
        if options & reserved != 0 {
            return Err(Fault::SubscriptionOptions);
        }
        let mut read = SubscribeFilter {
            filter: filter.to_owned(),
            qos: QoS::from_u8(options & 0b11).ok_or(Fault::Qos3)?,
            ..SubscribeFilter::default()
        };
        if version == Version::V5 {
            read.no_local = options & 0b100 != 0;
            read.retain_as_published = options & 0b1000 != 0;
            read.retain_handling = match options >> 4 & 0b11 {
                0 => RetainHandling::Send,
                1 => RetainHandling::SendIfNew,
                2 => RetainHandling::DoNotSend,
                _ => return Err(Fault::RetainHandling3),
            };
        }
        if is_shared && read.no_local {
            return Err(Fault::NoLocalShared);
        }
        Ok(read)
    }

    fn options(&self, version: Version) -> u8 {
        let options = self.qos as u8;
        match version {
            Version::V5 => {
                options
                    | u8::from(self.no_local) << 2
                    | u8::from(self.retain_as_published) << 3
                    | (self.retain_handling as u8) << 4
            }
            _ => options,
        }
    }
}

impl Body for Subscribe {
    fn write(&self, version: Version, sink: &mut impl Sink) {
        sink.u16(self.packet_id.get());
        if version == Version::V5 {
            sink.properties(&Properties(self));
        }
        for filter in &self.filters {
            sink.string(&filter.filter);
            sink.u8(filter.options(version));
        }
    }
}

struct Properties<'a>(&'a Subscribe);

impl Body for Properties<'_> {
    fn write(&self, _: Version, sink: &mut impl Sink) {
        write_id(self.0.subscription_id, sink);
        sink.user_properties(&self.0.user);
    }
}

impl Unsubscribe {
    pub(crate) fn parse(reader: &mut Reader<'_>, version: Version) -> Result<Unsubscribe, Fault> {
        let packet_id = reader.packet_id()?;
        let mut user = Vec::new();
        if version == Version::V5 {
            reader.properties(OF_UNSUBSCRIBE, |_, value| {
                user.push(value.pair()?);
                Ok(())
            })?;
        }
        let mut filters = Vec::new();
        while !reader.is_empty() {
            let filter = reader.text()?;
            check_filter(filter, version).map_err(Fault::Filter)?;
            filters.push(filter.to_owned());
        }
        if filters.is_empty() {
            return Err(Fault::NoFilter);
        }
        Ok(Unsubscribe { packet_id, user, filters })
    }

    pub(crate) fn check(&self, version: Version) -> Result<(), EncodeError> {
        if self.filters.is_empty() {
            return Err(EncodeError::NoFilter);
        }
        for filter in &self.filters {
            check_filter(filter, version)?;
        }
        Ok(())
    }
}

impl Body for Unsubscribe {
    fn write(&self, version: Version, sink: &mut impl Sink) {
        sink.u16(self.packet_id.get());
        if version == Version::V5 {
            sink.properties(&User(&self.user));
        }
        for filter in &self.filters {
            sink.string(filter);
        }
    }
}

struct User<'a>(&'a [(String, String)]);

impl Body for User<'_> {
    fn write(&self, _: Version, sink: &mut impl Sink) {
        sink.user_properties(self.0);
    }
}

/// Checks a topic filter, and says whether it is one of a shared subscription.
fn check_filter(filter: &str, version: Version) -> Result<bool, TopicError> {
    check_topic_filter(filter)?;
    match version {
        Version::V5 => Shared::parse(filter).map(|shared| shared.is_some()),
        _ => Ok(false),
    }
}

/// A subscription identifier, which is not 0 (section 3.8.2.1.2).
pub(crate) fn read_id(value: &mut Reader<'_>) -> Result<u32, Fault> {
    match value.varint()? {
        0 => Err(Fault::PropertyValue),
        id => Ok(id),
    }
}

pub(crate) fn write_id(id: impl IntoIterator<Item = u32>, sink: &mut impl Sink) {
    for id in id {
        sink.u8(SUBSCRIPTION_IDENTIFIER);
        sink.varint(id);
    }
}
