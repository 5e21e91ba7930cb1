"""MQTT by paho-mqtt, in both manners of its callbacks. Arguments: host, port, and what to do.

It prints what it got as lines of JSON, and must never print anything else.
"""

import json
import sys
import threading

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

DEADLINE_S = 20
VERSIONS = {"31": mqtt.MQTTv31, "311": mqtt.MQTTv311, "5": mqtt.MQTTv5}
CALLBACKS = {"1": mqtt.CallbackAPIVersion.VERSION1, "2": mqtt.CallbackAPIVersion.VERSION2}


def say(**what):
    print(json.dumps(what), flush=True)


def wait(event, what):
    if not event.wait(DEADLINE_S):
        raise SystemExit(f"waited in vain for {what}")


class Reader:
    """A client that is connected, subscribed to `topic` in quality 2, and keeps what it gets."""

    def __init__(self, host, port, version, callbacks, topic, options=None):
        self.connected, self.subscribed, self.got = (threading.Event() for _ in range(3))
        self.messages, self.wanted = [], 0
        self.client = mqtt.Client(CALLBACKS[callbacks], f"paho-{version}-{callbacks}", protocol=VERSIONS[version])
        self.client.on_connect = lambda *_: self.connected.set()
        self.client.on_subscribe = lambda *_: self.subscribed.set()
        self.client.on_message = self.on_message
        self.client.connect(host, int(port))
        self.client.loop_start()
        wait(self.connected, "CONNACK")
        self.client.subscribe(topic, **({"options": options} if options else {"qos": 2}))
        wait(self.subscribed, "SUBACK")

    def on_message(self, _client, _data, message):
        self.messages.append(message)
        if len(self.messages) == self.wanted:
            self.got.set()

    def take(self, publishes):
        """Publishes these, and gives as many messages."""
        self.wanted = len(publishes)
        infos = [self.client.publish(topic, payload, **how) for topic, payload, how in publishes]
        for info in infos:
            info.wait_for_publish(DEADLINE_S)
        wait(self.got, f"{self.wanted} messages")
        return self.messages

    def end(self):
        self.client.disconnect()
        self.client.loop_stop()


def qualities(host, port, version, callbacks):
    """What it publishes to itself in each quality."""
    topic = f"paho/{version}/{callbacks}"
    reader = Reader(host, port, version, callbacks, topic)
    for message in reader.take([(topic, str(number), {"qos": number % 3}) for number in range(30)]):
        say(topic=message.topic, payload=message.payload.decode(), qos=message.qos, retain=message.retain)
    reader.end()


def properties(host, port):
    """What a message of MQTT 5 carries."""
    reader = Reader(host, port, "5", "2", "paho/props", SubscribeOptions(qos=2, retainAsPublished=True))
    carried = Properties(PacketTypes.PUBLISH)
    carried.UserProperty = [("b", "1"), ("a", "2"), ("b", "3")]
    carried.ContentType, carried.ResponseTopic, carried.CorrelationData = "text/x", "answers", b"\x00\xff"
    carried.PayloadFormatIndicator, carried.MessageExpiryInterval = 1, 100
    [message] = reader.take([("paho/props", "x", {"qos": 1, "retain": True, "properties": carried})])
    got = message.properties
    say(retain=message.retain, user=got.UserProperty, type=got.ContentType, response=got.ResponseTopic,
        correlation=got.CorrelationData.hex(), format=got.PayloadFormatIndicator, expiry=got.MessageExpiryInterval)
    reader.end()


if __name__ == "__main__":
    {"qualities": qualities, "properties": properties}[sys.argv[3]](*sys.argv[1:3], *sys.argv[4:])
