//! A server that is killed over and over, under publishers and readers that go on regardless.
//! Must never do a round otherwise than its seed says, but for what time does.

mod follower;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::thread::sleep;
use std::time::{Duration, SystemTime};

use crate::load::{Ledger, Load, Manner, Publisher};
use crate::random::Random;
use crate::{Folder, Program, Reader, Server, Via, until, until_within};
use follower::Follower;

/// After so many rounds all begins anew, with an empty directory: what was stored is compared as
/// a whole then, and does not fill the disk.
const SERIES_ROUNDS: u32 = 50;

/// The kill comes at most so long after publishers are at work.
const PAUSE_MILLIS_MAX: u64 = 300;

/// How long those who read may take until they have everything.
const CATCH_UP: Duration = Duration::from_secs(120);

/// Where publishers publish, and what readers read.
const TOPICS: [(&str, Manner); 8] = [
    ("load/single/a", Manner::Single),
    ("load/single/b", Manner::Single),
    ("load/batch/a", Manner::Batch),
    ("load/batch/b", Manner::Batch),
    ("load/keyed/a", Manner::Keyed),
    ("load/keyed/b", Manner::Keyed),
    // What is answered when the system has it outlives the process, too.
    ("load/os/a", Manner::Single),
    ("load/os/b", Manner::Keyed),
];
const ALL: &str = "load/**";

/// A number of this topic is published at the beginning of each life, and read last.
const FENCE: &str = "load/fence";

/// Nothing that is published here goes because of its topic's limits.
const KEEP: &str = r#"[
    {match = "load/os/*", durability = "os", max_messages = 100000000, max_bytes = "64GiB"},
    {match = "**", max_messages = 100000000, max_bytes = "64GiB"},
]"#;

/// What was done.
#[derive(Clone, Copy, Debug, Default)]
pub struct Summary {
    /// Kills under load.
    pub rounds: u32,
    /// Kills of a server that was just starting.
    pub false_starts: u32,
    /// Messages that were acknowledged.
    pub acknowledged: u64,
    /// Publishes that were sent again under their key.
    pub retried: u32,
    /// Readers that were replaced by one over another transport.
    pub handed_over: u32,
}

/// A seed that is another one each time.
pub fn any_seed() -> u64 {
    // The low bits of the time are as good as chance, and short enough to be typed.
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::from(since.subsec_nanos()) / 1000
}

/// Kills a server `rounds` times. Tells after each how far it is. Panics as soon as a message that
/// was acknowledged is missing, doubled or out of place.
#[track_caller]
pub fn run(rounds: u32, seed: u64, told: &mut dyn FnMut(&Summary)) -> Summary {
    let (mut random, mut summary) = (Random::new(seed), Summary::default());
    while summary.rounds < rounds {
        let until = rounds.min(summary.rounds + SERIES_ROUNDS);
        let mut series = Series::new(random.bits());
        while summary.rounds < until {
            series.round(&mut summary);
            told(&summary);
        }
        series.end(&mut summary);
    }
    summary
}

struct Series {
    random: Random,
    folder: Folder,
    address: SocketAddr,
    publishers: Vec<Publisher>,
    followers: Vec<Follower>,
    /// What was read after each restart, and where that ended.
    ledger: Ledger,
    position: String,
    fence: u32,
}

impl Series {
    fn new(seed: u64) -> Series {
        let mut random = Random::new(seed);
        let address = free_address(&mut random);
        let publisher = |(topic, manner)| Publisher::new(topic, manner, random.bits());
        let publishers = TOPICS.map(publisher).into_iter().collect();
        let follower = |via| Follower::start(address, via, ALL);
        let followers = Follower::VIAS.into_iter().map(follower).collect();
        Series {
            random,
            folder: Folder::new(),
            address,
            publishers,
            followers,
            ledger: Ledger::default(),
            position: "start".to_owned(),
            fence: 0,
        }
    }

    /// Starts the server, looks at what is there, and kills it under load.
    #[track_caller]
    fn round(&mut self, summary: &mut Summary) {
        let mut server = self.start(summary);
        self.settle(&server, summary);
        let before: u32 = self.publishers.iter().map(Publisher::acknowledged).sum();
        let load = Load::start(self.address, std::mem::take(&mut self.publishers));
        until("publishes are under way", || (load.acknowledged() > 20).then_some(()));
        // The moment is what varies; nothing is waited for.
        sleep(Duration::from_millis(self.random.below(PAUSE_MILLIS_MAX)));
        server.kill();
        self.publishers = load.stop();
        let after: u32 = self.publishers.iter().map(Publisher::acknowledged).sum();
        summary.acknowledged += u64::from(after - before);
        summary.rounds += 1;
        for index in 0..self.followers.len() {
            if self.random.once_in(4) {
                let via = self.random.below(Follower::VIAS.len() as u64) as usize;
                self.followers[index].hand_over(Follower::VIAS[via]);
                summary.handed_over += 1;
            }
            self.followers[index].check();
        }
    }

    /// Looks at everything, once and for all.
    #[track_caller]
    fn end(mut self, summary: &mut Summary) {
        let server = self.start(summary);
        self.settle(&server, summary);
        // What was sent again must not be there twice.
        self.settle(&server, summary);
        for follower in &mut self.followers {
            until_within(CATCH_UP, "a reader has everything", || {
                follower.check();
                (follower.last(FENCE) == self.fence).then_some(())
            });
            for publisher in &self.publishers {
                assert_eq!(follower.last(publisher.topic()), publisher.acknowledged());
            }
        }
        let mut whole = Ledger::default();
        let mut reader = Reader::open(&server, Via::LongPoll, &[ALL], "start");
        while whole.last(FENCE) < self.fence {
            take(&mut whole, &mut reader);
        }
        for publisher in &self.publishers {
            assert_eq!(whole.last(publisher.topic()), publisher.acknowledged());
        }
    }

    /// A running server; sometimes one before it is killed while it starts.
    #[track_caller]
    fn start(&mut self, summary: &mut Summary) -> Server {
        let data = self.folder.text();
        let settings = [("DATA", data.as_str()), ("NAMESPACE", KEEP)];
        while self.random.once_in(4) {
            let listen = self.address.to_string();
            let mut program = Program::start(&["serve", "--listen", &listen], &settings);
            sleep(Duration::from_millis(self.random.below(30)));
            program.kill();
            summary.false_starts += 1;
        }
        let server = Server::on(&self.address.to_string(), &settings);
        let complained = server.complained();
        assert!(!complained.iter().any(|line| line.contains("damaged")), "{complained:?}");
        server
    }

    /// Reads what has come since the last life, over one transport or another, and has publishers
    /// go on from there.
    #[track_caller]
    fn settle(&mut self, server: &Server, summary: &mut Summary) {
        self.fence += 1;
        server.publish(FENCE, self.fence.to_string());
        let via = Via::ENDLESS[self.random.below(Via::ENDLESS.len() as u64) as usize];
        let mut reader = Reader::open(server, via, &[ALL], &self.position);
        while self.ledger.last(FENCE) < self.fence {
            take(&mut self.ledger, &mut reader);
        }
        reader.position().clone_into(&mut self.position);
        for publisher in &mut self.publishers {
            let stored = self.ledger.last(publisher.topic());
            let retried = publisher.settle(stored).and_then(|()| publisher.retry(self.address));
            let complained = || server.complained().join("\n");
            summary.retried += retried.unwrap_or_else(|why| panic!("{why}\n{}", complained()));
        }
    }
}

#[track_caller]
fn take(ledger: &mut Ledger, reader: &mut Reader) {
    let event = reader.read();
    ledger.take(&event).unwrap_or_else(|why| panic!("{why}"));
}

/// An address that nobody listens at, and that the system gives to nobody who connects: one who
/// tries to reach a server that is down could otherwise meet itself there.
#[track_caller]
fn free_address(random: &mut Random) -> SocketAddr {
    until("a port is free", || {
        let port = 10_000 + random.below(20_000) as u16;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()?;
        listener.local_addr().ok()
    })
}
