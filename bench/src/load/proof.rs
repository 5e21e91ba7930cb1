//! The load generator against a server that is known to be wrong: it must say exactly how.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use super::mark::{MARK_BYTES, parse};
use super::tally::Faults;
use super::*;
use crate::target::{From, Subscribe};

const LIMIT: Duration = Duration::from_secs(30);

/// What goes to listeners for each message: how often, and when it is a message's turn.
type Wrong = fn(number: u32, line: &str, kept: &mut Vec<String>) -> Vec<String>;

/// A server that takes a publish a line and tells its listeners what `wrong` says.
fn server(wrong: Wrong) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (joined, joining) = channel();
        let mut joining = Some(joining);
        for connection in listener.incoming() {
            let (connection, joined) = (connection.unwrap(), joined.clone());
            let mut lines = BufReader::new(connection.try_clone().unwrap()).lines();
            if lines.next().unwrap().unwrap() == "LISTEN" {
                listen(connection, &joined);
            } else if let Some(joining) = joining.take() {
                thread::spawn(move || publish(connection, lines, wrong, &joining));
            }
        }
    });
    address
}

fn listen(mut connection: TcpStream, joined: &Sender<TcpStream>) {
    connection.write_all(b"READY\n").unwrap();
    joined.send(connection).unwrap();
}

fn publish(
    mut publisher: TcpStream,
    lines: impl Iterator<Item = std::io::Result<String>>,
    wrong: Wrong,
    joining: &Receiver<TcpStream>,
) {
    let (mut listeners, mut kept) = (Vec::new(), Vec::new());
    for line in lines.map_while(Result::ok) {
        listeners.extend(joining.try_iter());
        let mark = parse(&line.as_bytes()[line.len() - MARK_BYTES..]).unwrap();
        for line in wrong(mark.number, &line, &mut kept) {
            for mut listener in &listeners {
                writeln!(listener, "{line}").unwrap();
            }
        }
        publisher.write_all(b"+").unwrap();
    }
}

/// Listens by lines.
fn plan(address: SocketAddr) -> Rc<ListenPlan> {
    let form = Subscribe::Tcp { first: "LISTEN\n".into(), ready: "READY".into() };
    let (host, begin) = (address.to_string(), Begin::Now);
    Rc::new(ListenPlan { form, host, begin, resume: false, poll_every: 0 })
}

/// Publishes so many messages to two listeners, and gives the load when all is said.
fn load(address: SocketAddr, publishes: u64, pace: Pace) -> Load {
    let mut load = Load::new(address, None).unwrap();
    let plan = plan(address);
    let publish = Publish::Tcp {
        first: "PUBLISH\n".into(),
        ready: None,
        message: "{payload}\n".into(),
        answer: Some("+".into()),
        refusal: None,
    };
    let (topics, connections, bytes, batch) = (vec!["t".to_owned()], 1, 40, 1);
    let group = load.group().unwrap();
    let streams = Streams { base: 0, each: 1 };
    for _ in 0..2 {
        load.listen(group, &plan, (0, "t"), &streams, None).unwrap();
    }
    load.until_open(LIMIT).unwrap();
    let spoken = PublishPlan { topics, connections, bytes, batch, pace };
    let publishing = load.speak(&publish, spoken).unwrap();
    load.until_open(LIMIT).unwrap();
    load.begin(publishing, publishes);
    load.until("all is answered", LIMIT, |load| load.publishing(publishing).is_done()).unwrap();
    load.settle(group, Duration::from_millis(300)).unwrap();
    assert_eq!(load.publishing(publishing).accepted, publishes);
    assert_eq!(load.published(publishing), publishes);
    load
}

/// The group of [`load`]; the first is that of the speakers.
const GROUP: usize = 1;

#[test]
fn what_is_right_is_told_to_be() {
    for pace in [Pace::Answered, Pace::Rate(5000.0), Pace::Delivered { window: 3, listeners: 2 }] {
        let address = server(|_, line, _| vec![line.to_owned()]);
        let load = load(address, 200, pace);
        assert_eq!(load.heard(GROUP).delivered, 400, "{pace:?}");
        assert_eq!((load.lost(GROUP), load.heard(GROUP).faults), (0, Faults::default()));
    }
}

#[test]
fn what_is_lost_in_between_and_at_the_end_is_counted() {
    let address = server(|number, line, _| match number {
        3 | 7 | 19 => Vec::new(),
        _ => vec![line.to_owned()],
    });
    let load = load(address, 20, Pace::Answered);
    assert_eq!((load.heard(GROUP).delivered, load.lost(GROUP)), (34, 6));
    assert_eq!(load.heard(GROUP).faults.duplicated, 0);
}

#[test]
fn what_comes_twice_or_late_is_counted() {
    let address = server(|number, line, kept| match number {
        3 => vec![line.to_owned(); 3],
        8 => {
            kept.push(line.to_owned());
            Vec::new()
        }
        11 => {
            kept.push(line.to_owned());
            kept.drain(..).rev().collect()
        }
        _ => vec![line.to_owned()],
    });
    let load = load(address, 20, Pace::Answered);
    let expected = Faults { duplicated: 4, reordered: 2, ..Faults::default() };
    assert_eq!((load.lost(GROUP), load.heard(GROUP).faults), (0, expected));
}

#[test]
fn who_begins_late_misses_nothing() {
    let address = server(|_, line, _| vec![line.to_owned()]);
    let mut load = load(address, 20, Pace::Answered);
    let late = load.group().unwrap();
    load.listen(late, &plan(address), (0, "t"), &Streams { base: 0, each: 1 }, None).unwrap();
    load.until_open(LIMIT).unwrap();
    assert_eq!((load.heard(late).delivered, load.lost(late)), (0, 0));
}

#[test]
fn the_end_is_seen_that_comes_with_the_last_bytes() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (end, ending) = channel::<()>();
    let server = thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        connection.write_all(b"READY\n").unwrap();
        ending.recv().unwrap();
        connection.write_all(b"the last").unwrap();
    });
    let mut load = Load::new(address, None).unwrap();
    let group = load.group().unwrap();
    load.listen(group, &plan(address), (0, "t"), &Streams { base: 0, each: 1 }, None).unwrap();
    load.until_open(LIMIT).unwrap();
    end.send(()).unwrap();
    // Now both are there, and one event tells of them.
    server.join().unwrap();
    load.until("the end is seen", LIMIT, |load| load.heard(group).broken > 0).unwrap();
}

#[test]
fn a_refused_listener_is_a_complaint() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        let answer = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nnope";
        connection.write_all(answer).unwrap();
        BufReader::new(connection).lines().for_each(drop);
    });
    let (target, headers, from) = ("/".to_owned(), BTreeMap::new(), From::default());
    let form = Subscribe::Stream { target, headers, ready: None, from };
    let (host, begin) = (address.to_string(), Begin::Now);
    let plan = Rc::new(ListenPlan { form, host, begin, resume: false, poll_every: 0 });
    let mut load = Load::new(address, None).unwrap();
    let group = load.group().unwrap();
    load.listen(group, &plan, (0, "t"), &Streams { base: 0, each: 1 }, None).unwrap();
    load.until("it is refused", LIMIT, |load| load.heard(group).broken > 0).unwrap();
    let complaint = &load.heard(group).complaints[0];
    assert!(complaint.contains("403") && complaint.contains("nope"), "{complaint}");
    assert!(!load.is_open());
}
