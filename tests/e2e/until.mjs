// Waiting for a condition with a deadline: the only way these tests wait.

const PAUSE_MS = 20;

/**
 * Calls `check` until it gives something truthy, and gives that back. `what` names the condition
 * in the error that is thrown after `deadlineMs`, beside what `check` said last.
 */
export async function until(what, check, deadlineMs = 10_000) {
  const end = performance.now() + deadlineMs;
  for (;;) {
    const value = await check();
    if (value) return value;
    if (performance.now() > end) throw new Error(`${what}: not within ${deadlineMs} ms`);
    await new Promise((done) => setTimeout(done, PAUSE_MS));
  }
}

/** Gives what `promise` gives, or throws when that takes longer than `deadlineMs`. */
export async function within(what, promise, deadlineMs = 10_000) {
  let timer;
  const late = new Promise((_, fail) => {
    timer = setTimeout(() => fail(new Error(`${what}: not within ${deadlineMs} ms`)), deadlineMs);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** The numbers from 1 to `count`, as the tests number their messages. */
export const numbers = (count) => Array.from({ length: count }, (_, index) => index + 1);
