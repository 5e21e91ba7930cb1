// Runs a command-line client of somebody else and keeps what it prints.
// It must never leave one behind: whoever starts one stops it, or waits until it ends.

import { spawn } from "node:child_process";
import { once } from "node:events";

import { until, within } from "./until.mjs";

/** Every one that runs, so that a test that fails leaves none. */
const running = new Set();

export class Program {
  text = "";

  constructor(name, args, env = {}) {
    this.child = spawn(name, args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...env } });
    for (const out of [this.child.stdout, this.child.stderr]) out.setEncoding("utf8").on("data", (piece) => (this.text += piece));
    this.child.on("error", (error) => (this.text += error));
    running.add(this);
    this.ended = once(this.child, "close").then(([code]) => (running.delete(this), code));
  }

  /** Waits until it has ended by itself, which must be well, and gives what it printed. */
  static async run(...how) {
    const program = new Program(...how);
    const code = await within(`${how[0]} ${how[1].join(" ")} ends`, program.ended, 20_000);
    if (code !== 0) throw new Error(`${how[0]} ${how[1].join(" ")} ended with ${code}:\n${program.text}`);
    return program.text;
  }

  /** Waits until it has printed what `check(text)` wants, and gives what that gives. */
  async shows(what, check) {
    return until(what, () => check(this.text)).catch((error) => {
      throw new Error(`${error.message}; it printed:\n${this.text}`);
    });
  }

  async stop(signal = "SIGTERM") {
    this.child.kill(signal);
    await this.ended;
  }

  static async stopAll() {
    await Promise.all([...running].map((program) => program.stop("SIGKILL")));
  }
}
