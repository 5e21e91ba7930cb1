//! Plays this transport's transcripts. Must hold no knowledge of its own.

use tidings_protocol::Transport;

static TRANSPORTS: &[&Transport] = &[&tidings_pushlet::PUSHLET];

#[test]
fn transcripts() {
    tidings_testkit::wire::check_folder(
        TRANSPORTS,
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/wire"),
    );
}
