//! How long the kernels take here and now.

use std::time::Instant;

use crate::kernels::KERNELS;

/// Samples of each; the least of them was disturbed least.
const SAMPLES: usize = 25;
/// About how long a sample is, in seconds.
const SAMPLE: f64 = 0.01;

/// Times every kernel whose name holds `part`.
pub(crate) fn all(part: &str) -> anyhow::Result<()> {
    println!("{:20} {:>12} {:>12}", "", "least ns", "median ns");
    for kernel in KERNELS.iter().filter(|kernel| kernel.name.contains(part)) {
        let mut work = (kernel.make)()?;
        let mut time = |rounds: u64| {
            let begin = Instant::now();
            work(rounds);
            begin.elapsed().as_secs_f64()
        };
        let mut rounds = 1;
        while time(rounds) < SAMPLE && rounds < 1 << 30 {
            rounds *= 2;
        }
        let mut samples: Vec<f64> =
            (0..SAMPLES).map(|_| time(rounds) * 1e9 / (rounds * kernel.units) as f64).collect();
        samples.sort_by(f64::total_cmp);
        let (least, median) = (samples[0], samples[SAMPLES / 2]);
        println!("{:20} {least:12.1} {median:12.1}  a {}", kernel.name, kernel.unit);
    }
    Ok(())
}
