//! How long the kernels take here and now.
//!
//! It must never judge that: it changes with the machine and its mood.

use divan::Bencher;
use divan::counter::ItemsCount;

use crate::kernels::{KERNELS, Kernel};

/// A sample is of so many rounds as divan finds right.
#[divan::bench(args = KERNELS)]
fn kernels(bencher: Bencher<'_, '_>, kernel: &Kernel) {
    match (kernel.make)() {
        Ok(mut work) => {
            bencher.counter(ItemsCount::new(kernel.units)).bench_local(|| work(1));
        }
        Err(error) => eprintln!("{} cannot be made: {error:#}", kernel.name),
    }
}

/// Times every kernel whose name fits the command line, which divan reads.
pub(crate) fn all() {
    divan::main();
}
