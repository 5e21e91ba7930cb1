//! A few seeds of the simulator with every test run; `cargo xtask sim` runs as many as one likes.

use tidings_testkit::sim;

#[test]
fn the_house_keeps_its_promises() {
    for seed in 0..40 {
        if let Err(failure) = sim::run(seed) {
            panic!("{failure}");
        }
    }
}

#[test]
fn a_seed_always_runs_the_same_way() {
    let [first, second] = [sim::run(7), sim::run(7)].map(|run| run.unwrap().to_string());
    assert_eq!(first, second);
}
